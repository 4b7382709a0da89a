"""Where Traefik is reached from this machine."""

import os
import socket
from collections.abc import Iterator

from e2e.suite import access, kube, names


def find(api: kube.Kube) -> tuple[str, int]:
    """Return host and port: E2E_INGRESS (`host:port`), or the first address that answers.

    Tried are the Service's own address (it is routed on CLUSTER=local), that of a load balancer,
    and the node port on the addresses of the nodes.

    Raises:
        SuiteError: none answers.
    """
    given = os.environ.get("E2E_INGRESS")
    if given:
        name, _, number = given.rpartition(":")
        return name, int(number)
    tried = []
    for host, port in _candidates(api):
        if _open(host, port):
            return host, port
        tried.append(f"{host}:{port}")
    raise access.SuiteError(
        f"Traefik is not reached from this machine at {', '.join(tried)}. Set E2E_INGRESS=host:port"
        f", for example while `kubectl -n {names.INGRESS} port-forward service/{names.INGRESS} "
        "8080:80` runs"
    )


def _candidates(api: kube.Kube) -> Iterator[tuple[str, int]]:
    service = api.get("Service", names.INGRESS, names.INGRESS)
    port = service["spec"]["ports"][0]
    yield service["spec"]["clusterIP"], int(port["port"])
    for entry in service.get("status", {}).get("loadBalancer", {}).get("ingress", []):
        yield str(entry.get("ip") or entry.get("hostname")), int(port["port"])
    for node in api.select("Node"):
        for address in node["status"]["addresses"]:
            if address["type"] in ("InternalIP", "ExternalIP") and "nodePort" in port:
                yield str(address["address"]), int(port["nodePort"])


def _open(host: str, port: int) -> bool:
    try:
        socket.create_connection((host, port), timeout=2).close()
    except OSError:
        return False
    return True
