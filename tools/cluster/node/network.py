"""The pod network: one bridge, its addresses, the kernel settings it needs, what it may clash with.

Nothing here leaves the machine: pods, Services and the node have addresses of ranges that are
routed nowhere, and there is no masquerading.
"""

import contextlib
import ipaddress
import json
import pathlib
from collections.abc import Iterator
from typing import Any, Final

from tools.cluster import progress, settings
from tools.cluster.node import commands, layout

SYSCTLS: Final = {
    "net.ipv4.ip_forward": "1",
    # Pods on one bridge talk directly; without this the answer of a pod behind a Service's
    # address would reach the asking pod with the wrong sender.
    "net.bridge.bridge-nf-call-iptables": "1",
}
"""Kernel settings that the network needs."""
TOUCHED: Final = (
    *SYSCTLS,
    "net.ipv4.conf.all.route_localnet",
    "net.ipv6.conf.all.forwarding",
    "vm.overcommit_memory",
    "vm.panic_on_oom",
    "kernel.panic",
    "kernel.panic_on_oops",
    "kernel.keys.root_maxkeys",
    "kernel.keys.root_maxbytes",
)
"""Kernel settings that we or the kubelet may change; `down` puts them back."""
TABLES: Final = (("ip", "kube-proxy"), ("ip6", "kube-proxy"))


def _file(name: str) -> pathlib.Path:
    return pathlib.Path("/proc/sys") / name.replace(".", "/")


def sysctls() -> dict[str, str]:
    """Return the present values of the settings that may change."""
    with contextlib.suppress(settings.ClusterError):
        commands.attempt("modprobe", "br_netfilter")  # where it is not built in
    return {name: _file(name).read_text().strip() for name in TOUCHED if _file(name).exists()}


def set_sysctls(values: dict[str, str]) -> None:
    """Write kernel settings, only those that differ."""
    for name, value in values.items():
        file = _file(name)
        if file.exists() and file.read_text().strip() != value:
            file.write_text(value)


def check() -> None:
    """Look for what on this machine our network would clash with.

    Raises:
        ClusterError: the bridge, a range, or the service proxy's tables belong to someone else.
    """
    if any(link["ifname"] == settings.BRIDGE for link in commands.objects("ip", "-j", "link")):
        raise settings.ClusterError(
            f"there is a network link {settings.BRIDGE} that this tool did not make; "
            f"if it is not needed: ip link delete {settings.BRIDGE}"
        )
    for ours in (settings.POD_RANGE, settings.SERVICE_RANGE):
        for theirs in _used_ranges():
            if ipaddress.IPv4Network(ours).overlaps(theirs):
                raise settings.ClusterError(
                    f"the test cluster uses {ours}, but this machine has a route to {theirs}; "
                    "take CLUSTER=kind or CLUSTER=current instead"
                )
    if taken := [name for name in TABLES if name in _tables()]:
        raise settings.ClusterError(
            f"another Kubernetes service proxy runs on this machine (nft table {taken[0]}); "
            "take CLUSTER=current instead"
        )
    for chain in _forward_drops():
        progress.say(
            f"warning: this machine's firewall drops forwarded packets (nft chain {chain}); if "
            "pods cannot reach Services, take CLUSTER=kind"
        )


def _used_ranges() -> Iterator[ipaddress.IPv4Network]:
    for route in commands.objects("ip", "-4", "-j", "route", "show", "table", "all"):
        destination = route.get("dst", "default")
        if destination != "default":
            yield ipaddress.IPv4Network(destination, strict=False)


def _ruleset() -> list[dict[str, Any]]:
    text = commands.run("nft", "-j", "list", "chains")
    return list(json.loads(text)["nftables"]) if text.strip() else []


def _tables() -> set[tuple[str, str]]:
    lines = commands.run("nft", "list", "tables").splitlines()
    return {(family, name) for _, family, name in (line.split() for line in lines)}


def _forward_drops() -> Iterator[str]:
    for item in _ruleset():
        chain = item.get("chain", {})
        if chain.get("hook") == "forward" and chain.get("policy") == "drop":
            yield f"{chain['family']} {chain['table']} {chain['name']}"


def create(paths: layout.Layout) -> None:
    """Make the bridge with the gateway's address, and the configuration that pods use it."""
    prefix = ipaddress.IPv4Network(settings.POD_RANGE).prefixlen
    commands.run("ip", "link", "add", settings.BRIDGE, "type", "bridge")
    commands.run("ip", "address", "add", f"{settings.GATEWAY}/{prefix}", "dev", settings.BRIDGE)
    commands.run("ip", "link", "set", settings.BRIDGE, "up")
    set_sysctls(SYSCTLS)
    folder = paths.cni / "conf"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "10-flagger.conflist").write_text(json.dumps(_configuration(paths), indent=2))


def _configuration(paths: layout.Layout) -> dict[str, Any]:
    addresses = {
        "type": "host-local",
        "dataDir": str(paths.cni / "addresses"),
        "ranges": [[{"subnet": settings.POD_RANGE, "gateway": settings.GATEWAY}]],
        "routes": [{"dst": "0.0.0.0/0"}],
    }
    bridge = {
        "type": "bridge",
        "bridge": settings.BRIDGE,
        "isGateway": True,
        "hairpinMode": True,  # a pod may be behind the Service that it calls
        "ipam": addresses,
    }
    return {"cniVersion": "0.4.0", "name": settings.BRIDGE, "plugins": [bridge]}


def remove() -> None:
    """Delete the bridge, the pods' links on it, and the service proxy's tables."""
    links = commands.objects("ip", "-j", "link")
    for link in links:
        if settings.BRIDGE in (link["ifname"], link.get("master")):
            # A pod's link goes away by itself when its namespace does, perhaps just now.
            commands.attempt("ip", "link", "delete", link["ifname"])
    for family, name in TABLES:
        if (family, name) in _tables():
            commands.attempt("nft", "delete", "table", family, name)
