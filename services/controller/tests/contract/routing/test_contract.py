"""What every router promises, for every provider and strategy it has."""

import copy
from collections.abc import Mapping
from typing import Any

import pytest

from flagger_controller.api.status import Phase, Route
from flagger_controller.api.traits import Selector, Traits
from flagger_controller.errors import ConfigError
from flagger_controller.routing import objects

from .cases import (
    COPYING,
    FIRST,
    GENERATING,
    LAST,
    MATCH,
    PROVIDERS,
    TRAITS,
    at,
    canary_for,
    capabilities_of,
    carrier,
    each,
    existing,
    few_of,
    own_refs,
    router_of,
    routes_of,
    strategies,
    unreadable,
    written,
)


@each
def test_reads_what_it_wrote(provider: str, analysis: Mapping[str, Any]) -> None:
    router, canary = router_of(provider), canary_for(provider, analysis)
    for route in routes_of(provider, analysis):
        wanted = router.desired(at(canary, route), TRAITS, route, existing(canary))
        assert router.read(at(canary, route), wanted) == route
        assert tuple(wanted) == own_refs(router, canary)


@each
def test_what_the_canary_names_is_there_before_anything_is_written(
    provider: str, analysis: Mapping[str, Any]
) -> None:
    router, canary = router_of(provider), canary_for(provider, analysis)
    named = router.referenced(canary)
    assert {*named} <= {*router.refs(canary)} & {*existing(canary)}
    live = existing(canary)
    for ref in named:
        missing = {key: body for key, body in live.items() if key != ref}
        with pytest.raises(ConfigError, match=ref.name):
            router.desired(canary, TRAITS, FIRST, missing)


@each
def test_twice_changes_nothing(provider: str, analysis: Mapping[str, Any]) -> None:
    router, canary = router_of(provider), canary_for(provider, analysis)
    for route in routes_of(provider, analysis):
        first = written(router, canary, route, existing(canary))
        again = written(router, canary, route, first)
        assert all(again[ref] is first[ref] for ref in first)


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
def test_names_follow_the_service_name(provider: str) -> None:
    router, canary = router_of(provider), canary_for(provider, {}, name="basket")
    traits = Traits(Selector("app", "web"))
    live = router.desired(canary, traits, Route(primary=60, canary=40), existing(canary))
    assert provider in COPYING or carrier(router, canary).name in ("basket", "basket.shop")
    assert "basket-canary" in str(live)
    assert "cart-" not in str(live)
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
    live = written(router, canary, half, existing(canary))
    ref = carrier(router, canary)
    for wrong in unreadable(provider, live[ref]):
        assert router.read(canary, {**live, ref: wrong}) is None


@pytest.mark.parametrize("provider", PROVIDERS)
def test_conditions_are_served_or_refused_but_never_ignored(provider: str) -> None:
    router, canary = router_of(provider), canary_for(provider, {"iterations": 5, "match": MATCH})
    if capabilities_of(provider).match:
        assert "x-beta" in str(router.desired(canary, TRAITS, LAST, existing(canary)))
    else:
        with pytest.raises(ConfigError, match=r"spec\.analysis\.match"):
            router.desired(canary, TRAITS, LAST, existing(canary))


@pytest.mark.parametrize("provider", sorted({*GENERATING} - {*COPYING}))
def test_spec_service_is_needed(provider: str) -> None:
    canary = canary_for(provider, {})
    spec = canary.spec.model_copy(update={"service": None})
    with pytest.raises(ConfigError, match=r"spec\.service"):
        router_of(provider).desired(canary.model_copy(update={"spec": spec}), TRAITS, FIRST, {})


@pytest.mark.parametrize("provider", COPYING)
def test_what_is_copied_must_exist(provider: str) -> None:
    router, canary = router_of(provider), canary_for(provider, {})
    (ref,) = router.referenced(canary)
    assert ref in existing(canary)
    with pytest.raises(ConfigError, match=rf'"{ref.name}" not found; create it, or correct spec\.'):
        router.desired(canary, TRAITS, FIRST, {})


@pytest.mark.parametrize(
    ("provider", "analysis"),
    [
        pytest.param(provider, analysis, id=f"{provider}-{name}")
        for provider in COPYING
        for name, analysis in strategies(provider).items()
    ],
)
def test_a_run_goes_on_and_back_when_what_is_copied_vanishes(
    provider: str, analysis: Mapping[str, Any]
) -> None:
    router, canary = router_of(provider), canary_for(provider, analysis)
    first, ref = router.refs(canary)
    live = written(router, canary, LAST, existing(canary))
    del live[first]
    status = canary.status.model_copy(update={"phase": Phase.PROGRESSING})
    running = canary.model_copy(update={"status": status})
    for route in (*few_of(provider, analysis, 40), FIRST):
        live = written(router, running, route, live)
        assert router.read(running, live) == route
        assert written(router, running, route, live)[ref] is live[ref]


@pytest.mark.parametrize("provider", COPYING)
def test_what_is_copied_must_be_named(provider: str) -> None:
    router, canary = router_of(provider), canary_for(provider, {})
    bare = canary.spec.model_copy(update={"ingress_ref": None, "route_ref": None})
    unnamed = canary.model_copy(update={"spec": bare})
    assert router.refs(unnamed) == ()
    assert router.read(unnamed, {}) is None
    assert router.reverted(unnamed, {}) == {}
    with pytest.raises(ConfigError, match=r"selector is empty: name the .* in spec\.\w+Ref"):
        router.desired(unnamed, TRAITS, FIRST, {})


@pytest.mark.parametrize("provider", COPYING)
def test_what_is_copied_must_lead_to_the_apex(provider: str) -> None:
    router, canary = router_of(provider), canary_for(provider, {})
    other = canary_for(provider, {}, name="basket")
    with pytest.raises(ConfigError, match=r"basket.*(give it one|), .*correct spec\.\w+Ref"):
        router.desired(other, TRAITS, FIRST, existing(canary))


@pytest.mark.parametrize("provider", COPYING)
def test_labels_and_annotations_of_the_original_follow(provider: str) -> None:
    router, canary = router_of(provider), canary_for(provider, {})
    first = written(router, canary, FIRST, existing(canary))
    (ref,) = own_refs(router, canary)
    changed = copy.deepcopy(first)
    (original,) = existing(canary)
    changed[original]["metadata"]["labels"]["team"] = "other"
    changed[original]["metadata"]["annotations"]["example.com/owner"] = "other"
    changed[original]["metadata"]["annotations"][objects.LAST_APPLIED] = "{}"
    metadata = written(router, canary, FIRST, changed)[ref]["metadata"]
    assert metadata["labels"]["team"] == "other"
    assert metadata["annotations"]["example.com/owner"] == "other"
    assert objects.LAST_APPLIED not in metadata["annotations"]
