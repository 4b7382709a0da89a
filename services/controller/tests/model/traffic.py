"""Where clients get to: the live routes, read as the data planes read them, not as routers do."""

from collections.abc import Callable, Mapping

from flagger_controller.api.canary import Canary
from flagger_controller.cluster import resources
from flagger_controller.cluster.client import Object, Ref, Resource
from flagger_controller.cluster.fake import FakeApi

Split = Mapping[str, int]
"""Weight by Service, of the requests that one rule is about."""


def splits(api: FakeApi, canary: Canary, provider: str) -> list[Split]:
    """Every rule of the route in force; none while there is no route that can be read here."""
    if provider == "kubernetes":
        return _selected(api, canary)
    if provider == "knative":
        return _revisions(api, canary)
    if provider not in _ROUTES:
        return []
    resource, read = _ROUTES[provider]
    body = api.object(Ref(resource, canary.apex_service, canary.namespace))
    return [] if body is None else read(body["spec"])


def exposed(rules: list[Split], canary: Canary) -> int:
    """Percent of the requests of a client like any other that get to the canary.

    The last rule is the one without further conditions.
    """
    return rules[-1].get(canary.canary_service, 0) if rules else 0


def _selected(api: FakeApi, canary: Canary) -> list[Split]:
    """The Service that clients use selects the pods of one version."""
    body = api.object(Ref(resources.SERVICES, canary.apex_service, canary.namespace))
    if body is None or canary.spec.target_ref.kind == "Service":
        return []
    primary = any(value.endswith("-primary") for value in body["spec"]["selector"].values())
    return [{canary.primary_service if primary else canary.canary_service: 100}]


def _revisions(api: FakeApi, canary: Canary) -> list[Split]:
    """The latest revision is the canary's, also when it is the primary by now."""
    body = api.object(Ref(resources.KNATIVE_SERVICES, canary.target, canary.namespace))
    if body is None or not body["spec"].get("traffic"):
        return []
    split = {canary.canary_service: 0, canary.primary_service: 0}
    for entry in body["spec"]["traffic"]:
        latest = entry.get("latestRevision", False)
        split[canary.canary_service if latest else canary.primary_service] += entry["percent"]
    return [split]


def _traefik(spec: Object) -> list[Split]:
    services = spec.get("weighted", {}).get("services", [])
    return [{entry["name"]: entry.get("weight", 1) for entry in services}]


def _gateway(spec: Object) -> list[Split]:
    rules = [rule["backendRefs"] for rule in spec["rules"]]
    return [{entry["name"]: entry.get("weight", 1) for entry in rule} for rule in rules]


def _istio(spec: Object) -> list[Split]:
    rules = [rule["route"] for rule in spec.get("http") or spec.get("tcp") or []]
    return [_destinations(rule) for rule in rules]


def _destinations(rule: list[Object]) -> Split:
    """A destination of its own gets everything; among others one without a weight gets nothing."""
    unsaid = 100 if len(rule) == 1 else 0
    return {entry["destination"]["host"]: entry.get("weight", unsaid) for entry in rule}


_ROUTES: Mapping[str, tuple[Resource, Callable[[Object], list[Split]]]] = {
    "traefik": (resources.TRAEFIK_SERVICES, _traefik),
    "gatewayapi:v1": (resources.HTTP_ROUTES, _gateway),
    "gatewayapi:v1beta1": (resources.HTTP_ROUTES_BETA, _gateway),
    "istio": (resources.VIRTUAL_SERVICES, _istio),
}
ROUTES = frozenset({resources.KNATIVE_SERVICES, *(resource for resource, _ in _ROUTES.values())})
"""The kinds that carry weights."""
