"""Where Traefik and other data planes are reached from this machine."""

import os
import socket
from collections.abc import Iterator
from typing import Final

from e2e.suite import kube, names, wait

READY_SECONDS: Final = 10.0
"""A Service has its endpoints a moment after they are ready."""


def find(
    api: kube.Kube, namespace: str = names.INGRESS, name: str = names.INGRESS
) -> tuple[str, int]:
    """Return host and port of a Service: what was given, or the first address that answers.

    Given with E2E_INGRESS (`host:port`) for Traefik, with E2E_INGRESS_<NAME> for others.

    Tried are the Service's own address (it is routed on CLUSTER=local), that of a load balancer,
    and the node port on the addresses of the nodes.

    Raises:
        Deviation: none answers.
    """
    variable = "E2E_INGRESS" if name == names.INGRESS else f"E2E_INGRESS_{name.upper()}"
    given = os.environ.get(variable)
    if given:
        host, _, number = given.rpartition(":")
        return host, int(number)
    tried = list(_candidates(api, namespace, name))
    return wait.until(
        f"{name} is reached from this machine at one of {tried}",
        lambda: next((place for place in tried if _open(*place)), None),
        seconds=READY_SECONDS,
        state=lambda: (
            f"Set {variable}=host:port, for example while `kubectl -n {namespace} port-forward "
            f"service/{name} 8080:80` runs"
        ),
    )


def _candidates(api: kube.Kube, namespace: str, name: str) -> Iterator[tuple[str, int]]:
    service = api.get("Service", name, namespace)
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
