"""What every router promises (style.md section 4), for every provider and strategy it has."""

import copy
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from flagger_controller.api import knative
from flagger_controller.api.canary import Canary
from flagger_controller.api.status import Route
from flagger_controller.api.traits import Selector, Traits
from flagger_controller.cluster import resources
from flagger_controller.cluster.client import Object, Ref
from flagger_controller.errors import ConfigError
from flagger_controller.routing import ROUTERS, objects, router_for
from flagger_controller.routing.base import Capabilities, Router, RouterSettings

GENERATING = ("traefik", "gatewayapi:v1", "gatewayapi:v1beta1", "istio")
"""Providers whose routes are objects that we make."""
PROVIDERS = (*GENERATING, "knative")
DOCS = next(
    parent / "docs" / "providers"
    for parent in Path(__file__).parents
    if (parent / "services").is_dir()
)
TRAITS = Traits(Selector("app", "cart"))
FIRST, LAST = Route(), Route(primary=0, canary=100)
MIRRORED = Route(mirrored=True)
WEIGHTS = tuple(Route(primary=100 - weight, canary=weight) for weight in range(101))
SERVICE: Mapping[str, Any] = {
    "port": 80,
    "gatewayRefs": [{"name": "edge"}],
    "hosts": ["shop.example.org"],
    "match": [{"uri": {"prefix": "/cart"}}],
    "timeout": "5s",
    "headers": {"response": {"add": {"x-shop": "cart"}}},
    "apex": {"labels": {"team": "shop"}},
}
MATCH = [{"headers": {"x-beta": {"exact": "1"}}}]
DEPLOYMENT = {"apiVersion": "apps/v1", "kind": "Deployment"}
TARGETS = {"knative": {"apiVersion": "serving.knative.dev/v1", "kind": "Service"}}
COOKIES = {"cookieName": "ck", "primaryCookieName": "pk"}

STRATEGIES: Mapping[str, tuple[Mapping[str, Any], Callable[[Capabilities], bool]]] = {
    "weighted": ({"stepWeight": 10}, lambda can: can.weights),
    "blue-green": ({"iterations": 5}, lambda can: can.weights),
    "ab-testing": ({"iterations": 5, "match": MATCH}, lambda can: can.match),
    "matched-weights": ({"stepWeight": 10, "match": MATCH}, lambda can: can.match),
    "mirror": ({"stepWeight": 10, "mirror": True, "mirrorWeight": 20}, lambda can: can.mirror),
    "mirror-matched": ({"stepWeight": 10, "mirror": True, "match": MATCH}, lambda can: can.mirror),
    "mirror-iterations": ({"iterations": 5, "mirror": True}, lambda can: can.mirror_iterations),
    "affinity": (
        {"stepWeight": 10, "sessionAffinity": COOKIES},
        lambda can: can.session_affinity,
    ),
    "affinity-mirror": (
        {"stepWeight": 10, "sessionAffinity": COOKIES, "mirror": True},
        lambda can: can.session_affinity and can.mirror,
    ),
    "affinity-blue-green": (
        {"iterations": 5, "sessionAffinity": COOKIES},
        lambda can: can.session_affinity,
    ),
}


def router_of(provider: str, *, own: bool = True) -> Router:
    return router_for(provider, RouterSettings(own_references=own))


def canary_for(provider: str, analysis: Mapping[str, Any], **service: Any) -> Canary:
    return Canary.from_api(
        {
            "metadata": {"name": "cart", "namespace": "shop", "uid": "6f1c2a9e"},
            "spec": {
                "provider": provider,
                "targetRef": {**TARGETS.get(provider, DEPLOYMENT), "name": "cart"},
                "service": {**SERVICE, **service},
                "analysis": {"interval": "1m", **analysis},
            },
        }
    )


def existing(canary: Canary) -> dict[Ref, Object]:
    """What is there before we write: nothing, or the Knative Service with a primary."""
    if not canary.on_knative:
        return {}
    name = f"{canary.target}-00001"
    conditions = [{"type": "Ready", "status": "True"}]
    metadata = {"name": canary.target, "annotations": {knative.PRIMARY_REVISION: name}}
    service = {"kind": "Service", "metadata": metadata, "spec": {"template": {}}}
    status = {"conditions": conditions, "observedGeneration": 3}
    revision = {"metadata": {"name": name}, "spec": {}, "status": status}
    return {
        Ref(resources.KNATIVE_SERVICES, canary.target, canary.namespace): service,
        Ref(resources.KNATIVE_REVISIONS, name, canary.namespace): revision,
    }


def written(
    router: Router, canary: Canary, route: Route, live: Mapping[Ref, Object]
) -> dict[Ref, Object]:
    """Everything that is there after the router's objects were written."""
    return {**live, **router.desired(at(canary, route), TRAITS, route, live)}


def at(canary: Canary, route: Route) -> Canary:
    """The Canary with the cookies that the engine has in its status at this split."""
    running = {"session_affinity_cookie": "ck=abc", "primary_session_affinity_cookie": "pk=def"}
    over = {"previous_session_affinity_cookie": "ck=abc"}
    status = canary.status.model_copy(update=running if route.canary else over)
    return canary.model_copy(update={"status": status})


def routes_of(analysis: Mapping[str, Any]) -> tuple[Route, ...]:
    """Every split that the engine can ask for with this analysis."""
    return (*WEIGHTS, MIRRORED) if analysis.get("mirror") else WEIGHTS


def pairs() -> Iterator[Any]:
    for provider in PROVIDERS:
        for name, (analysis, possible) in STRATEGIES.items():
            if possible(router_of(provider).capabilities):
                yield pytest.param(provider, analysis, id=f"{provider}-{name}")


each = pytest.mark.parametrize(("provider", "analysis"), tuple(pairs()))


def stored(body: Object) -> Object:
    """What the API server makes of an object: metadata, status and the schema's defaults."""
    result = copy.deepcopy(body)
    result["metadata"] |= {
        "uid": "1b2c",
        "resourceVersion": "42",
        "generation": 3,
        "creationTimestamp": "2026-01-01T00:00:00Z",
        "managedFields": [{"manager": "flagger"}],
    }
    defaults = {
        "HTTPRoute": http_route_defaults,
        "TraefikService": traefik_service_defaults,
        "Service": knative_service_defaults,
    }
    if add := defaults.get(result.get("kind", "")):
        add(result["spec"])
    return result


def http_route_defaults(spec: Object) -> None:
    for parent in spec["parentRefs"]:
        parent.setdefault("group", "gateway.networking.k8s.io")
        parent.setdefault("kind", "Gateway")
    for rule in spec["rules"]:
        rule.setdefault("matches", [{}])
        for match in rule["matches"]:
            match.setdefault("path", {"type": "PathPrefix", "value": "/"})
            for condition in (*match.get("headers", ()), *match.get("queryParams", ())):
                condition.setdefault("type", "Exact")
        for backend in rule["backendRefs"]:
            backend.setdefault("group", "")
            backend.setdefault("kind", "Service")
            backend.setdefault("weight", 1)
        for entry in rule.get("filters", ()):
            if entry["type"] == "CORS":
                entry["cors"].setdefault("maxAge", 5)


def traefik_service_defaults(spec: Object) -> None:
    for entry in spec["weighted"]["services"]:
        entry.setdefault("strategy", "wrr")


def knative_service_defaults(spec: Object) -> None:
    for entry in spec["traffic"]:
        entry.setdefault("latestRevision", "revisionName" not in entry)
        entry.setdefault("percent", 0)


def noisy(body: Object) -> Object:
    """An object to which people and other controllers have added something of their own."""
    result = copy.deepcopy(body)
    metadata = result["metadata"]
    metadata["labels"] = {**metadata.get("labels", {}), "argocd.argoproj.io/instance": "shop"}
    metadata["annotations"] = {**metadata.get("annotations", {}), "example.com/seen": "yes"}
    result["spec"]["foreign"] = {"a": 1}
    for entry in entries(result):
        entry["foreign"] = "kept"
    return result


def entries(body: Object) -> list[Object]:
    """The rules, routes or entries of an object, and the backends within them."""
    spec = body["spec"]
    rules = [*spec.get("rules", ()), *spec.get("http", ()), *spec.get("tcp", ())]
    backends = [
        backend for rule in rules for backend in rule.get("backendRefs", rule.get("route", ()))
    ]
    weighted = spec.get("weighted", {}).get("services", ())
    return [*rules, *backends, *weighted, *spec.get("traffic", ())]


@each
def test_reads_what_it_wrote(provider: str, analysis: Mapping[str, Any]) -> None:
    router, canary = router_of(provider), canary_for(provider, analysis)
    for route in routes_of(analysis):
        wanted = router.desired(at(canary, route), TRAITS, route, existing(canary))
        assert router.read(at(canary, route), wanted) == route
        assert tuple(wanted) == router.refs(canary)


@each
def test_twice_changes_nothing(provider: str, analysis: Mapping[str, Any]) -> None:
    router, canary = router_of(provider), canary_for(provider, analysis)
    for route in routes_of(analysis):
        first = written(router, canary, route, existing(canary))
        again = written(router, canary, route, first)
        assert all(again[ref] is first[ref] for ref in first)


@each
def test_defaults_of_the_server_are_no_drift(provider: str, analysis: Mapping[str, Any]) -> None:
    router = router_of(provider)
    cors = {"allowOrigin": ["https://example.org"]}
    match = [{"headers": {"b": {"exact": "1"}, "a": {"exact": "1"}}}, {"uri": {"exact": "/"}}]
    canary = canary_for(provider, analysis, corsPolicy=cors, match=match)
    for route in (FIRST, Route(primary=90, canary=10), LAST):
        first = written(router, canary, route, existing(canary))
        live = {ref: stored(body) for ref, body in first.items()}
        again = written(router, canary, route, live)
        assert all(again[ref] is live[ref] for ref in live)


@each
def test_what_others_added_is_no_drift(provider: str, analysis: Mapping[str, Any]) -> None:
    router, canary = router_of(provider), canary_for(provider, analysis)
    for route in (FIRST, Route(primary=90, canary=10), LAST):
        first = written(router, canary, route, existing(canary))
        live = {ref: noisy(stored(body)) for ref, body in first.items()}
        again = written(router, canary, route, live)
        assert all(again[ref] is live[ref] for ref in live)


@each
def test_what_others_added_survives_a_run(provider: str, analysis: Mapping[str, Any]) -> None:
    router, canary = router_of(provider), canary_for(provider, analysis)
    first = written(router, canary, FIRST, existing(canary))
    live = {ref: noisy(stored(body)) for ref, body in first.items()}
    for route in (Route(primary=90, canary=10), LAST, Route(primary=20, canary=80), FIRST):
        live = written(router, canary, route, live)
        assert router.read(at(canary, route), live) == route
        for body in live.values():
            assert body["metadata"]["labels"]["argocd.argoproj.io/instance"] == "shop"
            assert body["metadata"]["annotations"]["example.com/seen"] == "yes"
            assert body["metadata"]["resourceVersion"] == "42"
            assert body["spec"]["foreign"] == {"a": 1}
            assert not entries(body) or entries(body)[-1]["foreign"] == "kept"


@each
def test_drift_is_repaired_and_keeps_the_weights(
    provider: str, analysis: Mapping[str, Any]
) -> None:
    router, canary = router_of(provider), canary_for(provider, analysis)
    for route in (FIRST, Route(primary=70, canary=30), LAST):
        base = existing(canary)
        wanted = router.desired(at(canary, route), TRAITS, route, base)
        for drifted in drifts(wanted, marks=provider in GENERATING):
            repaired = router.desired(at(canary, route), TRAITS, route, {**base, **drifted})
            assert repaired == wanted
            assert router.read(at(canary, route), repaired) == route


def drifts(wanted: Mapping[Ref, Object], *, marks: bool) -> Iterator[dict[Ref, Object]]:
    """The objects, each time with one member of a spec lost or replaced, or the marks lost."""
    for ref, body in wanted.items():
        for name, value in body["spec"].items():
            if name == "template":
                continue
            without = {key: member for key, member in body["spec"].items() if key != name}
            yield {**wanted, ref: body | {"spec": without}}
            if isinstance(value, list):
                yield {**wanted, ref: body | {"spec": body["spec"] | {name: value[:-1]}}}
                yield {**wanted, ref: body | {"spec": body["spec"] | {name: value + value}}}
        if marks:
            bare = {key: value for key, value in body["metadata"].items() if key != "annotations"}
            yield {**wanted, ref: body | {"metadata": bare}}


@each
def test_arguments_are_not_changed(provider: str, analysis: Mapping[str, Any]) -> None:
    router, canary = router_of(provider), canary_for(provider, analysis)
    live = written(router, canary, LAST, existing(canary))
    before, spec = copy.deepcopy(live), canary.model_dump()
    router.desired(at(canary, FIRST), TRAITS, FIRST, live)
    router.read(canary, live)
    router.settled(canary, live)
    router.reverted(canary, live)
    assert live == before
    assert canary.model_dump() == spec


@pytest.mark.parametrize("provider", GENERATING)
def test_the_owner_is_set_on_creation_only(provider: str) -> None:
    router, canary = router_of(provider), canary_for(provider, {})
    for body in router.desired(canary, TRAITS, FIRST, {}).values():
        assert body["metadata"]["ownerReferences"] == [canary.owner_reference]
    elsewhere = router_of(provider, own=False).desired(canary, TRAITS, FIRST, {})
    assert all("ownerReferences" not in body["metadata"] for body in elsewhere.values())
    adopted = router.desired(canary, TRAITS, Route(primary=0, canary=100), elsewhere)
    assert all("ownerReferences" not in body["metadata"] for body in adopted.values())


@pytest.mark.parametrize("provider", GENERATING)
@pytest.mark.parametrize(
    ("kind", "group", "name"),
    [
        ("Canary", "flagger.app/v1beta1", "other"),
        ("Deployment", "apps/v1", "cart"),
        ("Canary", "example.com/v1", "cart"),
    ],
)
def test_objects_of_another_controller_are_refused(
    provider: str, kind: str, group: str, name: str
) -> None:
    router, canary = router_of(provider), canary_for(provider, {})
    owner = {"apiVersion": group, "kind": kind, "name": name, "uid": "1", "controller": True}
    ours = router.desired(canary, TRAITS, FIRST, {})
    for ref, body in ours.items():
        taken = body | {"metadata": body["metadata"] | {"ownerReferences": [owner]}}
        with pytest.raises(ConfigError, match=f"is controlled by {kind} {name}"):
            router.desired(canary, TRAITS, FIRST, {**ours, ref: taken})


@pytest.mark.parametrize("provider", GENERATING)
def test_an_owner_that_is_no_controller_does_not_matter(provider: str) -> None:
    router, canary = router_of(provider), canary_for(provider, {})
    owner = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "cart", "uid": "1"}
    live = {
        ref: body | {"metadata": body["metadata"] | {"ownerReferences": [owner]}}
        for ref, body in router.desired(canary, TRAITS, FIRST, {}).items()
    }
    assert router.desired(canary, TRAITS, FIRST, live) == live


@pytest.mark.parametrize("provider", GENERATING)
def test_the_apex_route_has_its_metadata_and_keeps_flux_away(provider: str) -> None:
    router, canary = router_of(provider), canary_for(provider, {})
    apex = router.desired(canary, TRAITS, FIRST, {})[router.refs(canary)[-1]]
    assert apex["metadata"]["annotations"] == objects.HANDS_OFF
    assert apex["metadata"]["labels"] == {"team": "shop", "app": "cart"}
    bare = canary_for(provider, {}, apex=None)
    apex = router.desired(bare, TRAITS, FIRST, {})[router.refs(bare)[-1]]
    assert "labels" not in apex["metadata"]


@pytest.mark.parametrize("provider", GENERATING)
def test_a_service_target_has_no_selector_label(provider: str) -> None:
    router, canary = router_of(provider), canary_for(provider, {})
    apex = router.desired(canary, Traits(None), FIRST, {})[router.refs(canary)[-1]]
    assert apex["metadata"]["labels"] == {"team": "shop"}


@pytest.mark.parametrize("provider", GENERATING)
def test_names_follow_the_service_name(provider: str) -> None:
    router, canary = router_of(provider), canary_for(provider, {}, name="basket")
    live = router.desired(canary, TRAITS, Route(primary=60, canary=40), {})
    assert router.refs(canary)[-1].name == "basket"
    assert "cart-primary" not in str(live)
    assert router.read(canary, live) == Route(primary=60, canary=40)


@pytest.mark.parametrize("provider", PROVIDERS)
def test_there_is_nothing_to_read_where_nothing_is(provider: str) -> None:
    router, canary = router_of(provider), canary_for(provider, {})
    assert router.read(canary, {}) is None
    assert router.settled(canary, {}) == ""
    assert router.reverted(canary, {}) == {}


@pytest.mark.parametrize("provider", PROVIDERS)
def test_weights_that_do_not_sum_to_100_are_no_split(provider: str) -> None:
    router, canary = router_of(provider), canary_for(provider, {})
    half = Route(primary=50, canary=50)
    for wrong in (0, 49, 100):
        live = copy.deepcopy(written(router, canary, half, existing(canary)))
        entry = entries(live[router.refs(canary)[-1]])[-1]
        entry["percent" if "percent" in entry else "weight"] = wrong
        assert router.read(canary, live) is None


@pytest.mark.parametrize("provider", GENERATING)
def test_objects_that_we_created_go_away_with_the_canary(provider: str) -> None:
    router, canary = router_of(provider), canary_for(provider, {})
    live = router.desired(canary, TRAITS, LAST, {})
    assert router.reverted(canary, live) == {}


@pytest.mark.parametrize("provider", PROVIDERS)
def test_conditions_are_served_or_refused_but_never_ignored(provider: str) -> None:
    router, canary = router_of(provider), canary_for(provider, {"iterations": 5, "match": MATCH})
    if router.capabilities.match:
        assert "x-beta" in str(router.desired(canary, TRAITS, LAST, {}))
    else:
        with pytest.raises(ConfigError, match=r"spec\.analysis\.match"):
            router.desired(canary, TRAITS, LAST, existing(canary))


@pytest.mark.parametrize("provider", GENERATING)
def test_spec_service_is_needed(provider: str) -> None:
    canary = canary_for(provider, {})
    spec = canary.spec.model_copy(update={"service": None})
    with pytest.raises(ConfigError, match=r"spec\.service"):
        router_of(provider).desired(canary.model_copy(update={"spec": spec}), TRAITS, FIRST, {})


def texts() -> st.SearchStrategy[str]:
    return st.text("abcdefg-.", min_size=1, max_size=8)


def matchers(*operators: str) -> st.SearchStrategy[dict[str, str]]:
    return st.sampled_from(operators).flatmap(
        lambda operator: st.fixed_dictionaries({operator: texts()})
    )


def services() -> st.SearchStrategy[dict[str, Any]]:
    values = matchers("exact", "regex")
    headers = st.dictionaries(texts(), values, max_size=3)
    match = st.fixed_dictionaries(
        {}, optional={"uri": matchers("exact", "prefix", "regex"), "headers": headers}
    )
    operations = st.fixed_dictionaries(
        {},
        optional={
            "add": st.dictionaries(texts(), texts(), max_size=3),
            "set": st.dictionaries(texts(), texts(), max_size=3),
            "remove": st.lists(texts(), max_size=2),
        },
    )
    return st.fixed_dictionaries(
        {},
        optional={
            "match": st.lists(match, max_size=3),
            "hosts": st.lists(texts(), max_size=2),
            "timeout": st.sampled_from(["", "5s"]),
            "headers": st.fixed_dictionaries(
                {}, optional={"request": operations, "response": operations}
            ),
            "rewrite": st.fixed_dictionaries({}, optional={"uri": texts(), "authority": texts()}),
            "corsPolicy": st.fixed_dictionaries(
                {}, optional={"allowOrigin": st.lists(texts()), "maxAge": st.just("24h")}
            ),
        },
    )


@pytest.mark.parametrize("provider", PROVIDERS)
@settings(deadline=None)
@given(data=st.data(), service=services(), weight=st.integers(0, 100))
def test_any_service_can_be_read_repeated_and_extended(
    provider: str, data: st.DataObject, service: dict[str, Any], weight: int
) -> None:
    router = router_of(provider)
    possible = [analysis for analysis, when in STRATEGIES.values() if when(router.capabilities)]
    canary = canary_for(provider, data.draw(st.sampled_from(possible)), **service)
    route = Route(primary=100 - weight, canary=weight)
    first = written(router, canary, route, existing(canary))
    assert router.read(at(canary, route), first) == route
    live = {ref: noisy(stored(body)) for ref, body in first.items()}
    again = written(router, canary, route, live)
    assert all(again[ref] is live[ref] for ref in live)


@pytest.mark.parametrize("provider", sorted(ROUTERS))
def test_every_entry_of_the_registry_is_a_router(provider: str) -> None:
    router = router_for(provider, RouterSettings())
    assert isinstance(router.capabilities, Capabilities)
    for method in ("refs", "desired", "read", "settled", "reverted"):
        assert callable(getattr(router, method))
    assert (DOCS / f"{provider.partition(':')[0]}.md").is_file()


@pytest.mark.parametrize("provider", ["", "Istio", "gatewayapi:v2", "appmesh:v1beta1", "none"])
def test_unknown_providers_are_an_error(provider: str) -> None:
    with pytest.raises(ConfigError, match=r"istio, knative, kubernetes, traefik"):
        router_for(provider, RouterSettings())


@pytest.mark.parametrize("page", sorted({provider.partition(":")[0] for provider in ROUTERS}))
def test_examples_in_the_documentation_work(page: str) -> None:
    blocks = re.findall(r"```yaml\n(.*?)```", (DOCS / f"{page}.md").read_text(), re.DOTALL)
    bodies = [body for block in blocks for body in yaml.safe_load_all(block)]
    canaries = [Canary.from_api(body) for body in bodies if body["kind"] == "Canary"]
    assert canaries
    for canary in canaries:
        router = router_of(canary.spec.provider)
        assert canary.spec.provider.startswith(page)
        assert router.read(canary, written(router, canary, FIRST, existing(canary))) == FIRST
