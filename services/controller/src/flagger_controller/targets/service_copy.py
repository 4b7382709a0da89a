"""Copies of the user's Services: everything but what belongs to that one Service (T13)."""

import copy
from collections.abc import Mapping
from typing import Final

from flagger_controller.api.base import Object
from flagger_controller.api.canary import Canary
from flagger_controller.cluster import resources
from flagger_controller.targets import metadata

_ALLOCATED: Final = (
    "clusterIP",
    "clusterIPs",
    "ipFamilies",
    "ipFamilyPolicy",
    "healthCheckNodePort",
    "loadBalancerIP",
)
"""Fields that the API server fills in for one Service, or that only one can have."""
_HEADLESS: Final = "None"


def portable(source: Object) -> Object:
    """The spec of a Service without what belongs to this one; headless stays headless."""
    spec = {key: value for key, value in source["spec"].items() if key not in _ALLOCATED}
    spec["ports"] = [
        {key: value for key, value in port.items() if key != "nodePort"}
        for port in source["spec"].get("ports") or ()
    ]
    if not spec["ports"]:  # headless and external Services need none
        del spec["ports"]
    if source["spec"].get("clusterIP") == _HEADLESS:
        spec["clusterIP"] = _HEADLESS
    return copy.deepcopy(spec)


def copied(canary: Canary, source: Object, name: str, live: Object | None, spec: Object) -> Object:
    """A copy of a Service, with the addresses that the live copy has already.

    Args:
        canary: the owner of the copy.
        source: the user's Service.
        name: of the copy.
        live: the copy as it is.
        spec: `portable(source)`, with what is different in the copy.
    """
    meta = source.get("metadata")
    labels = metadata.without_flux(metadata.entries(meta, "labels"))
    annotations = metadata.inherited(metadata.entries(meta, "annotations"))
    body: Object = copy.deepcopy(live) if live else metadata.header(resources.SERVICES)
    body["metadata"] = metadata.merged(canary, name, live, labels, annotations)
    body["spec"] = spec | _addresses(source["spec"], (live or {}).get("spec"), spec)
    return body


def _addresses(source: Object, live: Mapping[str, object] | None, spec: Object) -> Object:
    """What the copy keeps of its own: addresses and node ports that were allocated for it."""
    if live is None:
        policy = source.get("ipFamilyPolicy")
        return {"ipFamilyPolicy": policy} if policy else {}
    if spec.get("type") == "ExternalName":
        return {}
    kept = {key: live[key] for key in _ALLOCATED if key in live}
    node_ports = {_port_key(port): port["nodePort"] for port in _ports(live) if "nodePort" in port}
    exposed = spec.get("type") in ("NodePort", "LoadBalancer")
    if exposed:
        kept["ports"] = [
            port | {"nodePort": node_ports[_port_key(port)]}
            if _port_key(port) in node_ports
            else port
            for port in _ports(spec)
        ]
    return copy.deepcopy(kept)


def _ports(spec: Mapping[str, object]) -> list[Object]:
    ports = spec.get("ports")
    return ports if isinstance(ports, list) else []


def _port_key(port: Object) -> tuple[object, object]:
    return port.get("port"), port.get("protocol", "TCP")
