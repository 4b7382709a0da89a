"""The kubelet and the service proxy: configuration files and command lines."""

import pathlib
from typing import Any, Final

import yaml
from tools.cluster import certificates, components, ports, processes, settings
from tools.cluster.node import layout

USER: Final = f"system:node:{settings.NODE_NAME}"
PROXY_USER: Final = "system:kube-proxy"
LOOPBACK: Final = "127.0.0.1"


def _write(path: pathlib.Path, document: dict[str, Any]) -> pathlib.Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(yaml.safe_dump(document))
    return path


def kubelet(
    paths: layout.Layout, plane: components.Layout, serving: certificates.Pair
) -> processes.Command:
    """Write the kubelet's configuration and return its command."""
    # Not the machine's resolver: pods shall not depend on it, and it may point to loopback.
    (paths.plane / "resolv.conf").write_text("")
    configuration = _write(paths.plane / "kubelet.yaml", _kubelet(paths, plane, serving))
    argv = (
        str(plane.kube),
        "kubelet",
        f"--config={configuration}",
        f"--kubeconfig={plane.kubeconfig(USER)}",
        f"--hostname-override={settings.NODE_NAME}",
        f"--node-ip={settings.GATEWAY}",
        f"--root-dir={paths.kubelet}",
    )
    return plane.command("kubelet", argv)


def _kubelet(
    paths: layout.Layout, plane: components.Layout, serving: certificates.Pair
) -> dict[str, Any]:
    # Shared disks run fairly full; images cannot be pulled again, so they are never collected.
    spare = dict.fromkeys(("memory.available", "nodefs.available", "imagefs.available"), "1%")
    return {
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "address": settings.GATEWAY,
        "port": ports.free(settings.GATEWAY),
        "healthzBindAddress": LOOPBACK,
        "healthzPort": ports.free(LOOPBACK),
        "tlsCertFile": str(serving.certificate),
        "tlsPrivateKeyFile": str(serving.key),
        "authentication": {
            "anonymous": {"enabled": False},
            "webhook": {"enabled": True},
            "x509": {"clientCAFile": str(plane.ca_file)},
        },
        "authorization": {"mode": "Webhook"},
        "cgroupDriver": "cgroupfs",
        "cgroupRoot": f"/{settings.CGROUP}",
        "failCgroupV1": False,
        "failSwapOn": False,
        "containerRuntimeEndpoint": f"unix://{paths.containerd_socket}",
        "clusterDNS": [settings.DNS_SERVICE],
        "clusterDomain": settings.CLUSTER_DOMAIN,
        "resolvConf": str(paths.plane / "resolv.conf"),
        "podLogsDir": str(paths.root / "pod-logs"),
        "volumePluginDir": str(paths.kubelet / "volume-plugins"),
        "evictionHard": spare,
        "imageGCHighThresholdPercent": 100,
        "makeIPTablesUtilChains": False,
        "maxPods": 200,
        "serializeImagePulls": False,
        "registryPullQPS": 0,
        "eventRecordQPS": 0,
    }


def proxy(paths: layout.Layout, plane: components.Layout) -> processes.Command:
    """Write the service proxy's configuration and return its command."""
    document = {
        "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
        "kind": "KubeProxyConfiguration",
        "clientConnection": {"kubeconfig": str(plane.kubeconfig(PROXY_USER))},
        "hostnameOverride": settings.NODE_NAME,
        "mode": "nftables",
        "clusterCIDR": settings.POD_RANGE,
        "healthzBindAddress": f"{LOOPBACK}:{ports.free(LOOPBACK)}",
        "metricsBindAddress": f"{LOOPBACK}:{ports.free(LOOPBACK)}",
        # Settings of the whole machine, not ours to change.
        "conntrack": {"maxPerCore": 0, "min": 0},
        "nftables": {"minSyncPeriod": "100ms"},
    }
    configuration = _write(paths.plane / "kube-proxy.yaml", document)
    argv = (str(plane.kube), "kube-proxy", f"--config={configuration}")
    return plane.command("kube-proxy", argv)
