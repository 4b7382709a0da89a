"""Owners, labels and annotations of routes, and whose objects may be written."""

import pytest

from flagger_controller.api.traits import Traits
from flagger_controller.errors import ConfigError
from flagger_controller.routing import objects

from .cases import (
    FIRST,
    GENERATING,
    LABELLED,
    LAST,
    TRAITS,
    UNOWNED,
    canary_for,
    existing,
    own_refs,
    router_of,
    written,
)


@pytest.mark.parametrize("provider", GENERATING)
def test_the_owner_is_set_on_creation_only(provider: str) -> None:
    router, canary = router_of(provider), canary_for(provider, {})
    base = existing(canary)
    for body in router.desired(canary, TRAITS, FIRST, base).values():
        owners = [] if provider in UNOWNED else [canary.owner_reference]
        assert body["metadata"].get("ownerReferences", []) == owners
    elsewhere = router_of(provider, own=False).desired(canary, TRAITS, FIRST, base)
    assert all("ownerReferences" not in body["metadata"] for body in elsewhere.values())
    adopted = router.desired(canary, TRAITS, LAST, {**base, **elsewhere})
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
    live = written(router, canary, FIRST, existing(canary))
    for ref in own_refs(router, canary):
        taken = live[ref] | {"metadata": live[ref]["metadata"] | {"ownerReferences": [owner]}}
        with pytest.raises(ConfigError, match=f"is controlled by {kind} {name}"):
            router.desired(canary, TRAITS, FIRST, {**live, ref: taken})


@pytest.mark.parametrize("provider", GENERATING)
def test_an_owner_that_is_no_controller_does_not_matter(provider: str) -> None:
    router, canary = router_of(provider), canary_for(provider, {})
    owner = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "cart", "uid": "1"}
    live = {
        ref: body | {"metadata": body["metadata"] | {"ownerReferences": [owner]}}
        for ref, body in written(router, canary, FIRST, existing(canary)).items()
    }
    assert written(router, canary, FIRST, live) == live


@pytest.mark.parametrize("provider", LABELLED)
def test_the_apex_route_has_its_metadata_and_keeps_flux_away(provider: str) -> None:
    router, canary = router_of(provider), canary_for(provider, {})
    apex = router.desired(canary, TRAITS, FIRST, existing(canary))[router.refs(canary)[-1]]
    assert apex["metadata"]["annotations"] == objects.HANDS_OFF
    assert apex["metadata"]["labels"] == {"team": "shop", "app": "cart"}
    bare = canary_for(provider, {}, apex=None)
    apex = router.desired(bare, TRAITS, FIRST, existing(bare))[router.refs(bare)[-1]]
    assert "labels" not in apex["metadata"]


@pytest.mark.parametrize("provider", LABELLED)
def test_a_service_target_has_no_selector_label(provider: str) -> None:
    router, canary = router_of(provider), canary_for(provider, {})
    apex = router.desired(canary, Traits(None), FIRST, existing(canary))[router.refs(canary)[-1]]
    assert apex["metadata"]["labels"] == {"team": "shop"}


@pytest.mark.parametrize("provider", GENERATING)
def test_objects_that_we_created_go_away_with_the_canary(provider: str) -> None:
    router, canary = router_of(provider), canary_for(provider, {})
    live = written(router, canary, LAST, existing(canary))
    deleted = dict.fromkeys(own_refs(router, canary)) if provider in UNOWNED else {}
    assert router.reverted(canary, live) == deleted
