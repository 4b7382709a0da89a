"""Canary specs drawn from the schema of the CRD: good ones, odd ones, and ones that it refuses.

`valid`: what a careful user writes; every field, biased so that releases get somewhere.
`odd`: what the schema admits as well: some places of a valid spec hold anything of their type.
`damaged`: what only an older definition can have let in: wrong types, missing fields, nulls.
"""

import copy
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from hypothesis import strategies as st

from flagger_controller.api import crds
from flagger_controller.api.base import Object

from .targets import KINDS, NAME, aim, reference

Strategy = st.SearchStrategy[Any]
SCHEMA: Object = crds.open_api(crds.KINDS[0])["properties"]["spec"]
PROVIDERS = ("traefik", "istio", "gatewayapi:v1", "kubernetes")
_DURATION = SCHEMA["properties"]["analysis"]["properties"]["interval"]["pattern"]
_HOOKS = SCHEMA["properties"]["analysis"]["properties"]["webhooks"]["items"]["properties"]["type"]


def _some(*values: Any) -> Strategy:
    return st.sampled_from(values)


def _object(**fields: Any) -> Strategy:
    return st.fixed_dictionaries(
        {k: v if isinstance(v, st.SearchStrategy) else st.just(v) for k, v in fields.items()}
    )


SENSIBLE: Mapping[str, Strategy] = {
    "spec.provider": _some(*PROVIDERS),
    "spec.metricsServer": _some("http://prometheus:9090"),
    "spec.targetRef": st.just(reference("Deployment")),
    "spec.autoscalerRef.kind": _some("HorizontalPodAutoscaler", "ScaledObject"),
    "spec.autoscalerRef.name": st.just(NAME),
    "spec.autoscalerRef.primaryScalerReplicas.minReplicas": _some(1, 2),
    "spec.autoscalerRef.primaryScalerReplicas.maxReplicas": _some(2, 5),
    "spec.progressDeadlineSeconds": _some(60, 600),
    "spec.skipAnalysis": _some(False, False, True),
    "spec.suspend": st.just(False),
    "spec.service.name": _some(NAME, "shop"),
    "spec.service.port": _some(80, 8080),
    "spec.service.portName": _some("http", "grpc-web"),
    "spec.service.appProtocol": _some("http", "tcp"),
    "spec.service.timeout": _some("5s"),
    "spec.service.backendTimeout": _some("5s"),
    "spec.service.gatewayRefs": st.just([{"name": "edge"}]),
    "spec.service.match[]": _some(
        {"uri": {"prefix": "/"}},
        {"uri": {"exact": "/cart"}, "method": {"exact": "GET"}},
        {"headers": {"x": {"regex": "a.*"}}, "queryParams": {"q": {"exact": "1"}}},
    ),
    "spec.service.rewrite.type": st.just("ReplaceFullPath"),
    "spec.service.mirror[]": st.just({"backendRef": {"name": "shadow", "port": 80}}),
    "spec.analysis.interval": _some("10s", "5s", "20s"),
    "spec.analysis.threshold": _some(1, 2, 5),
    "spec.analysis.iterations": _some(1, 2, 3),
    "spec.analysis.match[]": _some(
        {"headers": {"x-beta": {"exact": "1"}}}, {"headers": {"cookie": {"regex": "beta=1"}}}
    ),
    "spec.analysis.maxWeight": _some(30, 60, 100),
    "spec.analysis.stepWeight": _some(20, 50, 100),
    "spec.analysis.stepWeights": _some([5, 50], [100], [10, 40, 80]),
    "spec.analysis.stepWeightPromotion": _some(30, 100),
    "spec.analysis.mirrorWeight": _some(10, 100),
    "spec.analysis.primaryReadyThreshold": _some(50, 100),
    "spec.analysis.canaryReadyThreshold": _some(50, 100),
    "spec.analysis.metrics[].name": _some("request-success-rate", "request-duration", "errors"),
    "spec.analysis.metrics[].threshold": st.just(100),
    "spec.analysis.metrics[].thresholdRange": _some(
        {"min": 99}, {"max": 500}, {"min": 1, "max": 100.5}
    ),
    "spec.analysis.metrics[].query": st.just("sum(errors)"),
    "spec.analysis.webhooks[]": st.sampled_from(_HOOKS["enum"]).flatmap(
        lambda kind: _object(
            name=kind or "rollout", type=kind, url="http://hooks/", muteAlert=st.booleans()
        )
    ),
    "spec.analysis.sessionAffinity.cookieName": _some("ck", "canary"),
    "spec.analysis.sessionAffinity.primaryCookieName": _some("pk", "stable"),
    "spec.analysis.sessionAffinity.maxAge": _some(60, 86400),
}
"""Good values, by path; `[]` is any item of a list. Answers of 100 are within all bounds."""

ALWAYS = frozenset(
    {
        *("spec.provider", "spec.service", "spec.service.gatewayRefs"),
        *("spec.analysis.metrics[].query", "spec.analysis.metrics[].thresholdRange"),
    }
)
"""Optional fields that are never left out."""


def _plain(schema: Object) -> Strategy:
    """A value of a field without a good one of its own."""
    if "enum" in schema:
        return st.sampled_from(schema["enum"])
    if "x-kubernetes-int-or-string" in schema:
        return _some(9898, "http")
    if schema.get("pattern") == _DURATION:
        return _some("30s", "1m")
    by_type = {"boolean": st.booleans(), "integer": _some(1, 2, 30), "number": _some(0.5, 100)}
    return by_type.get(schema["type"], _some("one", "two"))


def _drawn(schema: Object, path: str) -> Strategy:
    """What a part of the schema admits."""
    if path in SENSIBLE:
        return SENSIBLE[path]
    if "properties" in schema:
        return st.one_of([_record(schema, path, given) for given in _alternatives(schema)])
    if "items" in schema:
        return st.lists(_drawn(schema["items"], f"{path}[]"), max_size=2)
    if "additionalProperties" in schema:
        keys = _some("one", "x-two")
        return st.dictionaries(
            keys, _drawn(schema["additionalProperties"], f"{path}{{}}"), max_size=2
        )
    return _plain(schema)


def _alternatives(schema: Object) -> list[tuple[set[str], set[str]]]:
    """By branch of `oneOf`: the fields that it requires, and those of the other branches."""
    branches = [set(branch.get("required", ())) for branch in schema.get("oneOf", [{}])]
    every = set().union(*branches)
    return [(branch, every - branch) for branch in branches]


def _record(schema: Object, path: str, given: tuple[set[str], set[str]]) -> Strategy:
    required, excluded = {*schema.get("required", ()), *given[0]}, given[1]
    fields = {
        name: _drawn(part, f"{path}.{name}")
        for name, part in schema["properties"].items()
        if name not in excluded
    }
    kept = {name for name in fields if name in required or f"{path}.{name}" in ALWAYS}
    return st.fixed_dictionaries(
        {name: fields[name] for name in fields if name in kept},
        optional={name: fields[name] for name in fields if name not in kept},
    )


_DRAWN = _drawn(SCHEMA, "spec")


def valid() -> Strategy:
    """A spec that can be served; `aimed` makes it one for another kind of target."""
    return _DRAWN.map(_fitting)


def _fitting(spec: Object) -> Object:
    """Without what fields exclude between them."""
    service, analysis = spec["service"], spec["analysis"]
    if service.get("delegation"):
        service.pop("hosts", None)
        service.pop("gateways", None)
    if spec["provider"] == "traefik" or service.get("appProtocol") == "tcp":
        analysis.pop("match", None)
        analysis.pop("sessionAffinity", None)
    if service.get("appProtocol") == "tcp":
        analysis.pop("mirror", None)
    if spec["provider"] == "kubernetes":
        analysis.pop("sessionAffinity", None)
    return spec


def aimed(spec: Object, kind: str) -> Object:
    """The spec for a kind of target, unless its target was tampered with."""
    if spec.get("targetRef") != reference("Deployment"):
        return spec
    found = {**spec, **aim(kind)}
    if kind == "Service":
        _leave_out(found, "service", "name")
    if not KINDS[kind].twin:
        for field in ("match", "mirror", "sessionAffinity"):
            _leave_out(found, "analysis", field)
        found.pop("autoscalerRef", None)
    return found


def _leave_out(spec: Object, part: str, field: str) -> None:
    """Take a field out of a part of a spec, where there is such a part."""
    if isinstance(spec.get(part), dict):
        spec[part] = {name: value for name, value in spec[part].items() if name != field}


# What users should not write


@dataclass(frozen=True)
class Place:
    """A value within a spec."""

    path: str
    schema: Object
    holder: Any
    key: Any
    needed: bool
    """The schema does not admit that it is missing."""


def places(schema: Object, value: Any, path: str = "spec") -> Iterator[Place]:
    """Every place within a value, with what the schema says about it."""
    entries = value.items() if isinstance(value, dict) else enumerate(value)
    for key, item in entries:
        if isinstance(value, list):
            part, where, needed = schema.get("items", {}), f"{path}[{key}]", False
        else:
            part = schema.get("properties", {}).get(key) or schema.get("additionalProperties", {})
            where = f"{path}.{key}"
            needed = key in schema.get("required", ()) or "oneOf" in schema
        yield Place(where, part, value, key, needed)
        if isinstance(item, dict | list):
            yield from places(part, item, where)


_WHOLE = (-(2**63), -1, 0, 1, 101, 65536, 2**31, 2**63 - 1)
_TEXTS = ("", " ", "abc", "0", "-1s", "a/b", "UPPER", "n" * 64, "ä\n")
_DURATIONS = ("0s", "1ms", "5mfoo", "1h30m", "9" * 20 + "h", "9" * 400 + "s")


def _wild(schema: Object) -> Strategy:
    """Anything that the schema admits here, but objects."""
    low, high = schema.get("minimum", -(2**63)), schema.get("maximum", 2**63 - 1)
    whole = [number for number in (*_WHOLE, low, high) if low <= number <= high]
    if "enum" in schema:
        return st.sampled_from(schema["enum"])
    if "x-kubernetes-int-or-string" in schema:
        return st.sampled_from([*_WHOLE, *_TEXTS])
    if schema.get("pattern") == _DURATION:
        return st.sampled_from(_DURATIONS)
    if "pattern" in schema or "minLength" in schema:
        return st.just("n" * schema["maxLength"])
    by_type: Mapping[str, Strategy] = {
        "boolean": st.booleans(),
        "integer": st.sampled_from(whole),
        "number": st.sampled_from([*_WHOLE, 0.1, -1e300, 1e300]),
        "string": st.sampled_from(_TEXTS),
        "array": st.just([]),
    }
    return by_type[schema["type"]]


@st.composite
def odd(draw: Callable[[Strategy], Any]) -> Object:
    """A spec that the schema admits, with one to three places that hold anything, or nothing."""
    spec: Object = copy.deepcopy(draw(valid()))
    for _ in range(draw(st.integers(1, 3))):
        place = draw(
            st.sampled_from([place for place in places(SCHEMA, spec) if _changeable(place)])
        )
        if place.schema.get("type") == "object" or (not place.needed and draw(st.booleans())):
            del place.holder[place.key]
        else:
            place.holder[place.key] = draw(_wild(place.schema))
    return spec


def _changeable(place: Place) -> bool:
    return place.schema.get("type") != "object" or not place.needed


_JUNK: tuple[Any, ...] = (None, True, 0.5, -1, "x", [], {}, [None], {"x": None}, 1e30)


@st.composite
def damaged(draw: Callable[[Strategy], Any]) -> Object:
    """A spec with one or two places that are missing or hold something else."""
    spec: Object = copy.deepcopy(draw(valid()))
    for _ in range(draw(st.integers(1, 2))):
        place = draw(st.sampled_from(list(places(SCHEMA, spec))))
        if isinstance(place.holder, dict) and draw(st.booleans()):
            del place.holder[place.key]
        else:
            place.holder[place.key] = draw(st.sampled_from(_JUNK))
    return spec
