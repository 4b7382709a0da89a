"""The shares of traffic in routing objects, read without the code under test."""

from collections.abc import Mapping

from ..scene import Object

PRIMARY, TARGET = "podinfo-primary", "podinfo"
SERVICES = ("podinfo", "shop")
"""What clients call; a StatefulSet needs the name of its own for the names of its pods."""
WORKLOADS = {
    f"{service}{role}": name
    for service in SERVICES
    for role, name in (("-primary", PRIMARY), ("-canary", TARGET))
}
"""Backend Service to the workload behind it."""
KINDS = ("Deployment", "StatefulSet")
"""Of workloads."""

Shares = dict[str, int]


def shares(body: Object) -> list[Shares]:
    """Backend to percent, for each rule of a routing object; none for other objects."""
    spec = body.get("spec", {})
    match body.get("kind"):
        case "TraefikService":
            return [_of_backends(spec["weighted"]["services"])]
        case "HTTPRoute":
            return [_of_backends(rule["backendRefs"]) for rule in spec["rules"]]
        case "VirtualService":
            return [_of_hosts(rule["route"]) for rule in spec["http"]]
        case _:
            return []


def _of_backends(backends: list[Object]) -> Shares:
    """A backend without a weight has 1; upstream leaves out zeros (routing.md)."""
    return {each["name"]: each.get("weight", 1) for each in backends}


def _of_hosts(route: list[Object]) -> Shares:
    return {each["destination"]["host"]: each.get("weight", 100) for each in route}


def serving(state: Mapping[str, Object]) -> dict[str, int]:
    """Workload to the largest share that it has in any rule, of all routes that are there."""
    found = {PRIMARY: 0, TARGET: 0}
    for body in state.values():
        for rule in shares(body):
            for backend, weight in rule.items():
                name = WORKLOADS[backend]
                found[name] = max(found[name], weight)
    return found


def keys(name: str) -> list[str]:
    """What a workload may be called in a state: its kind is not known."""
    return [f"{kind}/{name}" for kind in KINDS]


def workload(state: Mapping[str, Object], name: str) -> Object | None:
    """A workload of whatever kind it is."""
    return next((state[key] for key in keys(name) if key in state), None)


def available(state: Mapping[str, Object], name: str) -> int:
    """Pods of a workload that serve."""
    status = (workload(state, name) or {}).get("status") or {}
    return int(status.get("availableReplicas") or 0)
