"""Core Services as targets: releases of whatever is behind a Service (targets.md 7.1).

No workload is touched. Two copies of the target are kept, `-canary` (always current) and
`-primary` (current after a promotion), and routes move traffic between them.
"""

import copy
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from flagger_controller.api.base import Object
from flagger_controller.api.canary import Canary
from flagger_controller.api.traits import Traits
from flagger_controller.cluster import resources
from flagger_controller.cluster.client import Resource
from flagger_controller.rollout.evidence import Health
from flagger_controller.targets import metadata, revision
from flagger_controller.targets.base import ConfigRef, Configs, TargetSettings

_ALLOCATED: Final = (
    "clusterIP",
    "clusterIPs",
    "ipFamilies",
    "ipFamilyPolicy",
    "healthCheckNodePort",
    "loadBalancerIP",
)
"""Fields that the API server fills in for one Service, or that only one can have (T13)."""
_HEADLESS: Final = "None"


@dataclass(frozen=True)
class Service:
    """The `Target` for core Services."""

    settings: TargetSettings = field(default_factory=TargetSettings)
    resource: Resource = resources.SERVICES
    tracks_configs: bool = False

    def traits(self, canary: Canary, target: Object) -> Traits:
        """No Services are generated for a Service."""
        return Traits(selector=None)

    def revision(self, target: Object) -> str:
        """Hash of what users write into the spec; allocated fields are no difference (T15)."""
        return revision.digest(_portable(target))

    def configs(self, target: Object) -> tuple[ConfigRef, ...]:
        """A Service uses no configs."""
        return ()

    def primary(
        self, canary: Canary, target: Object, configs: Configs, live: Object | None
    ) -> Object:
        """The copy that serves production; it stays owned by the Canary (T12)."""
        return _copied(canary, target, canary.primary, live)

    def promoted(self, canary: Canary, target: Object, configs: Configs, primary: Object) -> bool:
        """Does the primary copy say what the target says, allocated fields aside?"""
        wanted = _copied(canary, target, canary.primary, primary)
        return revision.canonical(wanted["spec"]) == revision.canonical(primary["spec"])

    def twin(self, canary: Canary, target: Object, live: Object | None) -> Object | None:
        """The copy that follows the target all the time."""
        return _copied(canary, target, f"{canary.target}-canary", live)

    def scaled(self, canary: Canary, target: Object, *, up: bool, replicas: int) -> Object | None:
        """Services have no size."""
        return None

    def reverted(self, target: Object, primary: Object | None, *, replicas: int) -> Object | None:
        """Services have no size."""
        return None

    def health(self, canary: Canary, workload: Object, *, primary: bool, now: datetime) -> Health:
        """Services are always ready; what is behind them is not known here."""
        return Health(ready=True)


def _copied(canary: Canary, target: Object, name: str, live: Object | None) -> Object:
    """A copy of the target, with the addresses that the live copy has already."""
    meta = target.get("metadata")
    labels = metadata.without_flux(metadata.entries(meta, "labels"))
    annotations = metadata.inherited(metadata.entries(meta, "annotations"))
    body: Object = copy.deepcopy(live) if live else metadata.header(resources.SERVICES)
    body["metadata"] = metadata.merged(canary, name, live, labels, annotations)
    spec = _portable(target)
    if canary.spec.service and canary.spec.service.traffic_distribution:
        spec["trafficDistribution"] = canary.spec.service.traffic_distribution
    body["spec"] = spec | _addresses(target["spec"], (live or {}).get("spec"), spec)
    return body


def _portable(target: Object) -> Object:
    """The spec without what belongs to this one Service; headless stays headless."""
    source = target["spec"]
    spec = {key: value for key, value in source.items() if key not in _ALLOCATED}
    spec["ports"] = [
        {key: value for key, value in port.items() if key != "nodePort"}
        for port in source.get("ports") or ()
    ]
    if source.get("clusterIP") == _HEADLESS:
        spec["clusterIP"] = _HEADLESS
    return copy.deepcopy(spec)


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
    kept["ports"] = [
        port | {"nodePort": node_ports[_port_key(port)]}
        if exposed and _port_key(port) in node_ports
        else port
        for port in spec["ports"]
    ]
    return copy.deepcopy(kept)


def _ports(spec: Mapping[str, object]) -> list[Object]:
    ports = spec.get("ports")
    return ports if isinstance(ports, list) else []


def _port_key(port: Object) -> tuple[object, object]:
    return port.get("port"), port.get("protocol", "TCP")
