"""What differs is put right, what others added stays, and the weights are those of the status."""

from collections.abc import Iterator, Mapping
from typing import Any

from flagger_controller.cluster.client import Object, Ref

from .cases import (
    FIRST,
    GENERATING,
    TRAITS,
    at,
    canary_for,
    each,
    entries,
    existing,
    few_of,
    router_of,
    written,
)
from .live import noisy, stored


@each
def test_defaults_of_the_server_are_no_drift(provider: str, analysis: Mapping[str, Any]) -> None:
    router = router_of(provider)
    cors = {"allowOrigin": ["https://example.org"]}
    match = [{"headers": {"b": {"exact": "1"}, "a": {"exact": "1"}}}, {"uri": {"exact": "/"}}]
    canary = canary_for(provider, analysis, corsPolicy=cors, match=match)
    for route in few_of(provider, analysis, 0, 10, 100):
        first = written(router, canary, route, existing(canary))
        live = {ref: stored(body) for ref, body in first.items()}
        again = written(router, canary, route, live)
        assert all(again[ref] is live[ref] for ref in live)


@each
def test_what_others_added_is_no_drift(provider: str, analysis: Mapping[str, Any]) -> None:
    router, canary = router_of(provider), canary_for(provider, analysis)
    for route in few_of(provider, analysis, 0, 10, 100):
        first = written(router, canary, route, existing(canary))
        live = {ref: noisy(stored(body)) for ref, body in first.items()}
        again = written(router, canary, route, live)
        assert all(again[ref] is live[ref] for ref in live)


@each
def test_what_others_added_survives_a_run(provider: str, analysis: Mapping[str, Any]) -> None:
    router, canary = router_of(provider), canary_for(provider, analysis)
    first = written(router, canary, FIRST, existing(canary))
    live = {ref: noisy(stored(body)) for ref, body in first.items()}
    for route in few_of(provider, analysis, 10, 100, 80, 0):
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
    for route in few_of(provider, analysis, 0, 30, 100):
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
