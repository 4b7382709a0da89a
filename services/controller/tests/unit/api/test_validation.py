"""What is wrong with a Canary beyond its schema (canary-api.md section 3)."""

import pathlib
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from flagger_controller.api import validation
from flagger_controller.api.base import Object
from flagger_controller.api.canary import Canary

DOCUMENTS = pathlib.Path(__file__).parent / "documents"
KNATIVE = {"apiVersion": "serving.knative.dev/v1", "kind": "Service", "name": "podinfo"}
DEPLOYMENT = {"apiVersion": "apps/v1", "kind": "Deployment"}
SERVICE = {"apiVersion": "core/v1", "kind": "Service", "name": "podinfo"}
STATEFUL = {"apiVersion": "apps/v1", "kind": "StatefulSet", "name": "podinfo"}
HPA = {"apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler", "name": "podinfo"}


def canary(**spec: Any) -> Canary:
    base: Object = {
        "targetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "podinfo"},
        "service": {"port": 80},
        "analysis": {"interval": "10s", "threshold": 2, "stepWeight": 25},
    }
    meta = {"name": "podinfo", "namespace": "test"}
    merged = {key: value for key, value in (base | spec).items() if value is not None}
    return Canary.from_api({"metadata": meta, "spec": merged})


def analysis(**fields: Any) -> Canary:
    base = {"interval": "10s", "threshold": 2, "stepWeight": 25}
    return canary(analysis=base | fields)


def metric(**fields: Any) -> Canary:
    return analysis(metrics=[{"name": "m", "query": "q", "thresholdRange": {"max": 1}} | fields])


def hook(**fields: Any) -> Canary:
    return analysis(webhooks=[{"name": "h", "url": "http://x"} | fields])


PROBLEMS = [
    (
        canary(targetRef=KNATIVE),
        "istio",
        ["can't use istio provider with Knative Service as target"],
    ),
    (canary(targetRef=KNATIVE, service=None), "knative", []),
    (
        canary(targetRef=KNATIVE, autoscalerRef=HPA),
        "knative",
        ["can't use autoscaler with Knative Service"],
    ),
    (
        canary(),
        "knative",
        ["can't use apps/v1/Deployment as target if provider is set to knative"],
    ),
    (
        analysis(sessionAffinity={"cookieName": "c", "primaryCookieName": "c"}),
        "istio",
        [
            "can't use the same cookie name for both primary and cookie name; "
            "please update them to be different"
        ],
    ),
    (analysis(sessionAffinity={"cookieName": "c"}), "istio", []),
    (analysis(sessionAffinity={"cookieName": "", "primaryCookieName": "p"}), "istio", []),
    (canary(service=None), "istio", ["spec.service is missing: set at least spec.service.port"]),
    (
        canary(service={"port": 0}),
        "istio",
        ["spec.service.port 0 is not a port: use 1 to 65535"],
    ),
    (
        canary(targetRef=SERVICE | {"name": ""}),
        "istio",
        ['spec.targetRef.name "" is not the name of an object: correct it'],
    ),
    (
        canary(targetRef=DEPLOYMENT | {"name": "a/b"}, service={"port": 80, "name": "a"}),
        "istio",
        ['spec.targetRef.name "a/b" is not the name of an object: correct it'],
    ),
    (
        canary(autoscalerRef=HPA | {"name": "Cart"}),
        "istio",
        ['spec.autoscalerRef.name "Cart" is not the name of an object: correct it'],
    ),
    (canary(autoscalerRef=HPA | {"name": "cart.v2"}), "istio", []),
    (
        canary(targetRef=DEPLOYMENT | {"name": "cart.v2"}),
        "istio",
        [
            'spec.service.name: "cart.v2" is not the name of a Service; '
            "set one of lower-case letters, digits and -"
        ],
    ),
    (canary(service={"port": 80, "name": "n" * 55}), "istio", []),
    (
        canary(service={"port": 80, "name": "n" * 56}),
        "istio",
        [
            f'spec.service.name: "{"n" * 56}-primary" would be longer than 63 characters; '
            "set a name of at most 55"
        ],
    ),
    (canary(targetRef=SERVICE), "istio", []),
    (
        canary(targetRef=SERVICE, service={"port": 80, "name": "web"}),
        "istio",
        ['spec.service.name "web" must be the name of the target Service "podinfo": remove it'],
    ),
    (
        canary(autoscalerRef=HPA | {"primaryScalerReplicas": {"minReplicas": 3, "maxReplicas": 2}}),
        "istio",
        [
            "spec.autoscalerRef.primaryScalerReplicas: minReplicas 3 is above maxReplicas 2: "
            "lower it"
        ],
    ),
    (canary(autoscalerRef=HPA | {"primaryScalerReplicas": {"minReplicas": 3}}), "istio", []),
    (canary(targetRef=STATEFUL | {"name": "n" * 44}), "istio", []),
    (
        canary(targetRef=STATEFUL | {"name": "n" * 45}),
        "istio",
        [
            f'spec.targetRef.name: a StatefulSet "{"n" * 45}-primary" would get no pods, its name '
            "is too long: use a target with a name of at most 44 characters"
        ],
    ),
    (canary(autoscalerRef=HPA | {"primaryScalerReplicas": {"minReplicas": 0}}), "istio", []),
    (
        canary(autoscalerRef=HPA | {"primaryScalerReplicas": {"minReplicas": -1}}),
        "istio",
        ["spec.autoscalerRef.primaryScalerReplicas.minReplicas -1 cannot be: use 0 to 2147483647"],
    ),
    (
        canary(autoscalerRef=HPA | {"primaryScalerReplicas": {"maxReplicas": 1e30}}),
        "istio",
        [
            f"spec.autoscalerRef.primaryScalerReplicas.maxReplicas {int(1e30)} cannot be: "
            "use 1 to 2147483647"
        ],
    ),
    (
        analysis(stepWeight=0),
        "istio",
        ["spec.analysis has no steps: set stepWeight, stepWeights or iterations above 0"],
    ),
    (analysis(stepWeight=0), "kubernetes", []),
    (analysis(stepWeight=0, iterations=1), "istio", []),
    (analysis(stepWeight=0, stepWeights=[5]), "istio", []),
    (canary(analysis={"interval": "10s"}, skipAnalysis=True), "istio", []),
    (canary(analysis=None), "istio", []),
]

WARNINGS = [
    (canary(), []),
    (
        analysis(interval="5mfoo"),
        ['spec.analysis.interval "5mfoo" is not a duration, as 30s or 1m30s are: 60s is used'],
    ),
    (analysis(interval="1ms"), ['spec.analysis.interval "1ms" is too short: 10s is used']),
    (analysis(interval="1h"), []),
    (
        analysis(interval="9000h"),
        ['spec.analysis.interval "9000h" is too long: a year is used'],
    ),
    (analysis(interval=""), []),
    (analysis(maxWeight=101), ["spec.analysis.maxWeight 101 is not a percentage: use 0 to 100"]),
    (analysis(stepWeight=150), ["spec.analysis.stepWeight 150 is not a percentage: use 0 to 100"]),
    (
        analysis(mirrorWeight=-1),
        ["spec.analysis.mirrorWeight -1 is not a percentage: use 0 to 100"],
    ),
    (
        analysis(primaryReadyThreshold=120, canaryReadyThreshold=-1),
        [
            "spec.analysis.primaryReadyThreshold 120 is not a percentage: use 0 to 100",
            "spec.analysis.canaryReadyThreshold -1 is not a percentage: use 0 to 100",
        ],
    ),
    (
        analysis(stepWeightPromotion=-1),
        ["spec.analysis.stepWeightPromotion -1 is not a percentage: use 0 to 100"],
    ),
    (analysis(stepWeights=[1, 5, 100]), []),
    (
        analysis(stepWeights=[0, 5, 120]),
        ["spec.analysis.stepWeights has elements that are not percentages: use 1 to 100"],
    ),
    (
        analysis(stepWeights=[5, 5, 50]),
        ["spec.analysis.stepWeights is not increasing: elements that go back are skipped"],
    ),
    (
        analysis(match=[{"headers": {"x": {"exact": "y"}}}]),
        [
            "spec.analysis.match without iterations above 0: each step is a share of the requests "
            "that meet it, all others stay on the primary"
        ],
    ),
    (analysis(match=[{"headers": {"x": {"exact": "y"}}}], iterations=2), []),
    (
        analysis(match=[{"headers": {"x": {"exact": "y"}}}], iterations=2, mirror=True),
        ["spec.analysis.mirror is ignored: requests of an A/B test go to the canary"],
    ),
    (analysis(iterations=2, mirror=True), []),
    (analysis(threshold=0), ["spec.analysis.threshold 0 is below 1: 1 is used"]),
    (
        canary(progressDeadlineSeconds=0),
        ["spec.progressDeadlineSeconds 0 is below 1: 600 is used"],
    ),
    (
        canary(progressDeadlineSeconds=-1),
        ["spec.progressDeadlineSeconds -1 is below 1: pods get no time to start"],
    ),
    (
        canary(progressDeadlineSeconds=2**40),
        [f"spec.progressDeadlineSeconds {2**40} is more than a year: a year is used"],
    ),
    (
        metric(interval="5mfoo"),
        ['spec.analysis.metrics[0] "m": interval "5mfoo" is not a duration, as 30s or 1m are'],
    ),
    (
        metric(thresholdRange={}),
        [
            'spec.analysis.metrics[0] "m": thresholdRange has neither min nor max, '
            "so every value passes"
        ],
    ),
    (
        metric(thresholdRange=None),
        [
            'spec.analysis.metrics[0] "m" has no thresholdRange, '
            "so every value above 0 fails: set min or max"
        ],
    ),
    (
        metric(name="request-success-rate", thresholdRange=None),
        [
            'spec.analysis.metrics[0] "request-success-rate" has no thresholdRange, '
            "so every value passes: set min or max"
        ],
    ),
    (metric(thresholdRange=None, threshold=0), []),
    (
        hook(url="gate.example/open"),
        [
            'spec.analysis.webhooks[0] "h": url "gate.example/open" cannot be called: '
            "write it as in http://host/path"
        ],
    ),
    (
        metric(query=""),
        [
            'spec.analysis.metrics[0] "m" is not built in, so it always fails: '
            "set its templateRef or query, or use request-success-rate or request-duration"
        ],
    ),
    (metric(query="", name="request-duration"), []),
    (metric(query="", templateRef={"name": "t"}), []),
    (
        metric(thresholdRange={"min": 5, "max": 3.5}),
        [
            'spec.analysis.metrics[0] "m": thresholdRange.min 5 is above max 3.5, '
            "so no value passes: swap them"
        ],
    ),
    (
        hook(timeout="soon"),
        [
            'spec.analysis.webhooks[0] "h": timeout "soon" is not a duration, '
            "so the hook always fails: "
            "write it as in 30s or 1m30s"
        ],
    ),
    (hook(timeout="5"), []),
    (hook(timeout="1m30s"), []),
    (
        hook(url="http://[::1"),
        [
            'spec.analysis.webhooks[0] "h": url "http://[::1" cannot be called: '
            "write it as in http://host/path"
        ],
    ),
    (hook(retries=-1), ['spec.analysis.webhooks[0] "h": retries -1 is negative: none is made']),
]


@pytest.mark.parametrize(("built", "provider", "texts"), PROBLEMS)
def test_problems(built: Canary, provider: str, texts: list[str]) -> None:
    assert validation.problems(built, provider) == texts


@pytest.mark.parametrize(("built", "texts"), WARNINGS)
def test_warnings(built: Canary, texts: list[str]) -> None:
    assert validation.warnings(built, "istio") == texts


def test_analysis_is_not_judged_when_it_is_skipped() -> None:
    metrics = [{"name": "m", "threshold": 1}]
    built = canary(analysis={"metrics": metrics}, skipAnalysis=True)
    assert validation.problems(built, "istio") == []
    assert validation.warnings(built, "istio") == []


@pytest.mark.parametrize("namespace", ["", "test"])
def test_references_into_the_own_namespace_are_allowed(namespace: str) -> None:
    built = referring(namespace)
    assert validation.problems(built, "istio", no_cross_namespace_refs=True) == []


def test_references_into_other_namespaces_can_be_blocked() -> None:
    built = referring("other")
    assert validation.problems(built, "istio") == []
    assert validation.problems(built, "istio", no_cross_namespace_refs=True) == [
        "can't access gloo upstream u.other, cross-namespace references are blocked",
        "can't access metric template t.other, cross-namespace references are blocked",
        "can't access alert provider a.other, cross-namespace references are blocked",
    ]


def referring(namespace: str) -> Canary:
    upstream = {"apiVersion": "v1", "kind": "Upstream", "name": "u", "namespace": namespace}
    template = {"name": "t", "namespace": namespace}
    return canary(
        upstreamRef=upstream,
        analysis={
            "stepWeight": 1,
            "metrics": [
                {"name": "request-duration", "threshold": 500},
                {"name": "m", "templateRef": template, "threshold": 1},
            ],
            "alerts": [{"name": "x", "providerRef": {"name": "a", "namespace": namespace}}],
        },
    )


def test_recorded_canaries_have_no_problems() -> None:
    judged = 0
    for path in DOCUMENTS.glob("*.yaml"):
        for body in yaml.safe_load_all(path.read_text()):
            if body["kind"] == "Canary":
                body["metadata"]["namespace"] = "test"
                built = Canary.from_api(body)
                provider = built.spec.provider or "istio"
                assert validation.problems(built, provider, no_cross_namespace_refs=True) == []
                judged += 1
    assert judged >= 10


_number = st.integers(-200, 200) | st.sampled_from([0.0, 1.0, 2**40])
_text = st.text(max_size=8) | st.sampled_from(["10s", "1m", "http://[", "request-duration", "-"])
_metric = st.fixed_dictionaries(
    {"name": _text},
    optional={
        "interval": _text,
        "threshold": _number,
        "thresholdRange": st.none()
        | st.fixed_dictionaries({}, optional={"min": _number, "max": st.floats()}),
        "query": _text,
        "templateRef": st.none() | st.fixed_dictionaries({"name": _text, "namespace": _text}),
    },
)
_hook = st.fixed_dictionaries(
    {"name": _text, "url": _text}, optional={"timeout": _text, "retries": _number}
)
_analysis: st.SearchStrategy[Object] = st.fixed_dictionaries(
    {},
    optional={
        "interval": _text,
        "threshold": _number,
        "iterations": _number,
        "match": st.lists(st.just({}), max_size=2),
        "maxWeight": _number,
        "stepWeight": _number,
        "stepWeights": st.lists(_number, max_size=4),
        "mirrorWeight": _number,
        "primaryReadyThreshold": st.none() | _number,
        "metrics": st.lists(_metric, max_size=2),
        "webhooks": st.lists(_hook, max_size=2),
        "sessionAffinity": st.none() | st.fixed_dictionaries({"cookieName": _text}),
    },
)


@given(
    _analysis,
    st.none() | st.fixed_dictionaries({"port": _number}, optional={"name": _text}),
    _text,
    st.booleans(),
)
def test_every_canary_can_be_judged(
    given_analysis: Object, service: Object | None, provider: str, block: bool
) -> None:
    built = canary(analysis=given_analysis, service=service)
    found = validation.problems(built, provider, no_cross_namespace_refs=block)
    assert all(isinstance(text, str) and text for text in found)
    assert all(validation.warnings(built, provider))
