"""Autoscalers of targets and their twins (targets.md sections 10 and 11)."""

import copy
from typing import Any

import pytest

from flagger_controller.api.base import Object
from flagger_controller.targets.replicas import from_zero
from flagger_controller.targets.scalers import queries
from flagger_controller.targets.scalers.hpa import HorizontalPodAutoscaler
from flagger_controller.targets.scalers.scaledobject import PAUSED_REPLICAS, ScaledObject

from .workloads import Build

HPA = HorizontalPodAutoscaler()
KEDA = ScaledObject()
QUERY = 'sum(rate(requests{app="podinfo-canary",svc="podinfo"}[30s]))'


def hpa(**spec: Any) -> Object:
    return {
        "apiVersion": "autoscaling/v2",
        "kind": "HorizontalPodAutoscaler",
        "metadata": {
            "name": "web",
            "namespace": "test",
            "labels": {"team": "web", "kustomize.toolkit.fluxcd.io/name": "x"},
            "annotations": {"note": "n"},
        },
        "spec": {
            "maxReplicas": 4,
            "minReplicas": 2,
            "metrics": [{"type": "Resource", "resource": {"name": "cpu"}}],
            "behavior": {"scaleDown": {"stabilizationWindowSeconds": 60}},
            "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "podinfo"},
        }
        | spec,
    }


def scaled_object(annotations: Object | None = None, **spec: Any) -> Object:
    return {
        "apiVersion": "keda.sh/v1alpha1",
        "kind": "ScaledObject",
        "metadata": {
            "name": "web",
            "namespace": "test",
            "labels": {"team": "web"},
            "annotations": {"note": "n"} | (annotations or {}),
        },
        "spec": {
            "cooldownPeriod": 20,
            "maxReplicaCount": 5,
            "minReplicaCount": 2,
            "pollingInterval": 10,
            "scaleTargetRef": {"name": "podinfo", "envSourceContainerName": "podinfo"},
            "triggers": [
                {
                    "metadata": {"query": QUERY, "threshold": "100"},
                    "name": "load",
                    "type": "prometheus",
                },
                {"metadata": {"start": "0 8 * * *"}, "type": "cron"},
            ],
        }
        | spec,
    }


def reference(canary: Build, kind: str = "HorizontalPodAutoscaler", **extra: Any) -> Any:
    return canary(autoscalerRef={"apiVersion": "x/v1", "kind": kind, "name": "web"} | extra)


def test_new_hpa(canary: Build) -> None:
    built = reference(canary)
    assert HPA.primary(built, hpa(), None) == {
        "apiVersion": "autoscaling/v2",
        "kind": "HorizontalPodAutoscaler",
        "metadata": {
            "name": "web-primary",
            "namespace": "test",
            "labels": {"team": "web"},
            "ownerReferences": [built.owner_reference],
        },
        "spec": hpa()["spec"]
        | {
            "scaleTargetRef": {
                "apiVersion": "apps/v1",
                "kind": "Deployment",
                "name": "podinfo-primary",
            }
        },
    }


def test_new_scaled_object(canary: Build) -> None:
    built = reference(canary, "ScaledObject")
    spec = scaled_object()["spec"]
    spec["scaleTargetRef"]["name"] = "podinfo-primary"
    spec["triggers"][0]["metadata"]["query"] = (
        'sum(rate(requests{app="podinfo-primary",svc="podinfo-primary"}[30s]))'
    )
    assert KEDA.primary(built, scaled_object(), None) == {
        "apiVersion": "keda.sh/v1alpha1",
        "kind": "ScaledObject",
        "metadata": {
            "name": "web-primary",
            "namespace": "test",
            "labels": {"team": "web"},
            "annotations": {"note": "n"},
            "ownerReferences": [built.owner_reference],
        },
        "spec": spec,
    }


@pytest.mark.parametrize("given", [{}, {"minReplicas": 3}, {"minReplicas": 0, "maxReplicas": 9}])
def test_bounds_of_the_primary(canary: Build, given: Object) -> None:
    low, high = given.get("minReplicas", 2), given.get("maxReplicas")
    built = reference(canary, primaryScalerReplicas=given)
    spec = HPA.primary(built, hpa(), None)["spec"]
    assert (spec["minReplicas"], spec["maxReplicas"]) == (low, high or 4)
    spec = KEDA.primary(built, scaled_object(), None)["spec"]
    assert (spec["minReplicaCount"], spec["maxReplicaCount"]) == (low, high or 5)


@pytest.mark.parametrize(
    ("low", "idle", "kept"), [(2, 0, True), (1, 0, True), (0, 0, False), (1, 1, False)]
)
def test_an_idle_count_that_keda_would_refuse_is_left_out(
    canary: Build, low: int, idle: int, kept: bool
) -> None:
    built = reference(canary, "ScaledObject", primaryScalerReplicas={"minReplicas": low})
    spec = KEDA.primary(built, scaled_object(idleReplicaCount=idle), None)["spec"]
    assert ("idleReplicaCount" in spec) == kept


def test_what_else_a_scaled_object_says_is_kept(canary: Build) -> None:
    extra: Object = {
        "idleReplicaCount": 0,
        "fallback": {"failureThreshold": 3, "replicas": 6},
        "advanced": {"horizontalPodAutoscalerConfig": {"behavior": {"scaleDown": {}}}},
    }
    source = scaled_object(**extra)
    source["spec"]["triggers"][0]["authenticationRef"] = {"name": "keda-podinfo"}
    spec = KEDA.primary(reference(canary, "ScaledObject"), source, None)["spec"]
    assert {key: spec[key] for key in extra} == extra
    assert spec["triggers"][0]["authenticationRef"] == {"name": "keda-podinfo"}


@pytest.mark.parametrize(("scaler", "source"), [(HPA, hpa()), (KEDA, scaled_object())])
def test_updating_twice_changes_nothing(
    canary: Build, stored: Build, scaler: Any, source: Object
) -> None:
    before = copy.deepcopy(source)
    live = stored(scaler.primary(reference(canary), source, None))
    assert scaler.primary(reference(canary), source, live) == live
    assert source == before


def test_update_follows_the_source(canary: Build, stored: Build) -> None:
    live = stored(HPA.primary(reference(canary), hpa(), None))
    live["metadata"]["labels"]["mine"] = "1"
    source = hpa(maxReplicas=9, behavior=None)
    source["metadata"]["labels"]["team"] = "shop"
    body = HPA.primary(reference(canary), source, live)
    assert (body["spec"]["maxReplicas"], body["spec"]["behavior"]) == (9, None)
    assert body["metadata"]["labels"] == {"team": "shop", "mine": "1"}, "T6"


def test_t3_update_keeps_metadata_of_others(canary: Build, stored: Build) -> None:
    built = reference(canary, "ScaledObject")
    live = stored(KEDA.primary(built, scaled_object(), None))
    live["metadata"]["annotations"]["scaledobject.keda.sh/transfer-hpa-ownership"] = "true"
    body = KEDA.primary(built, scaled_object({"new": "1"}), live)
    assert body["metadata"]["annotations"] == {
        "note": "n",
        "new": "1",
        "scaledobject.keda.sh/transfer-hpa-ownership": "true",
    }


@pytest.mark.parametrize("pause", [{PAUSED_REPLICAS: "0"}, {"autoscaling.keda.sh/paused": "true"}])
def test_t2_a_primary_is_never_born_paused(canary: Build, pause: Object) -> None:
    body = KEDA.primary(reference(canary, "ScaledObject"), scaled_object(pause), None)
    assert body["metadata"]["annotations"] == {"note": "n"}


def test_t2_a_primary_that_upstream_left_paused_is_healed(canary: Build, stored: Build) -> None:
    built = reference(canary, "ScaledObject")
    live = stored(KEDA.primary(built, scaled_object(), None))
    live["metadata"]["annotations"][PAUSED_REPLICAS] = "0"
    assert KEDA.primary(built, scaled_object(), live)["metadata"]["annotations"] == {"note": "n"}
    live["metadata"]["annotations"][PAUSED_REPLICAS] = "3"
    assert PAUSED_REPLICAS in KEDA.primary(built, scaled_object(), live)["metadata"]["annotations"]


def test_t4_unknown_fields_survive(canary: Build) -> None:
    advanced = {
        "scalingModifiers": {"formula": "x"},
        "horizontalPodAutoscalerConfig": {"name": "web", "behavior": {}},
    }
    source = scaled_object(advanced=advanced, initialCooldownPeriod=5, newField={"a": 1})
    source["spec"]["triggers"][0]["useCachedMetrics"] = True
    spec = KEDA.primary(reference(canary, "ScaledObject"), source, None)["spec"]
    assert spec["advanced"]["scalingModifiers"] == {"formula": "x"}
    assert spec["advanced"]["horizontalPodAutoscalerConfig"]["name"] == "web-primary"
    assert (spec["initialCooldownPeriod"], spec["newField"]) == (5, {"a": 1})
    assert spec["triggers"][0]["useCachedMetrics"] is True


def test_queries_of_the_user_turn_rewriting_off(canary: Build) -> None:
    built = reference(canary, "ScaledObject", primaryScalerQueries={"load": "up"})
    triggers = [
        {"name": "load", "metadata": {"query": QUERY}},
        {"name": "load", "type": "x"},
        {"name": "other", "metadata": {"query": QUERY}},
        {"metadata": {"query": QUERY}},
    ]
    spec = KEDA.primary(built, scaled_object(triggers=triggers), None)["spec"]
    found = [trigger["metadata"]["query"] for trigger in spec["triggers"]]
    assert found == ["up", "up", QUERY, QUERY]


def test_an_empty_map_of_queries_turns_rewriting_off_too(canary: Build) -> None:
    built = reference(canary, "ScaledObject", primaryScalerQueries={})
    spec = KEDA.primary(built, scaled_object(), None)["spec"]
    assert spec["triggers"][0]["metadata"]["query"] == QUERY


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ('app="podinfo"', 'app="podinfo-primary"'),
        (
            'app="podinfo-canary", svc="podinfo"',
            'app="podinfo-primary", svc="podinfo-primary"',
        ),
        ('app="podinfo-primary"', 'app="podinfo-primary"'),
        ('ns="podinfo-ns"', 'ns="podinfo-ns"'),
        ('app="my-podinfo"', 'app="my-podinfo"'),
        ('app="podinfos"', 'app="podinfos"'),
        ("podinfo_requests_total", "podinfo_requests_total"),
        ("stats.podinfo.requests", "stats.podinfo-primary.requests"),
        ('host="podinfo.test.svc"', 'host="podinfo-primary.test.svc"'),
        ('cluster="test_podinfo-canary_80"', 'cluster="test_podinfo-primary_80"'),
        ('pod=~"podinfo-.*"', 'pod=~"podinfo-primary-.*"'),
        ('pod=~"podinfo-[a-z0-9]+"', 'pod=~"podinfo-primary-[a-z0-9]+"'),
        ('pod=~"podinfo-primary-.*"', 'pod=~"podinfo-primary-.*"'),
        ('pod=~"podinfo-canary-.*"', 'pod=~"podinfo-primary-.*"'),
        ('x="podinfo-canary-2"', 'x="podinfo-canary-2"'),
        ("podinfo", "podinfo-primary"),
        ("", ""),
    ],
)
def test_t5_names_are_replaced_as_words(query: str, expected: str) -> None:
    assert queries.for_primary(query, "podinfo", "graphite") == expected
    assert queries.for_primary(expected, "podinfo", "graphite") == expected


@pytest.mark.parametrize(
    ("language", "query", "expected"),
    [
        (
            "prometheus",
            'sum by (app) (rate(app{app="app", db=~"app-db|app", pod=~\'app-.*\'}[1m])) # app',
            'sum by (app) (rate(app{app="app-primary", db=~"app-db|app-primary", '
            "pod=~'app-primary-.*'}[1m])) # app",
        ),
        (
            "prometheus",
            'x{a=`app`} # don\'t\n + app:rate{b="app"}',
            'x{a=`app-primary`} # don\'t\n + app:rate{b="app-primary"}',
        ),
        (
            "loki",
            'rate({app="app-canary"} |= "\\"app\\""[1m])',
            'rate({app="app-primary"} |= "\\"app-primary\\""[1m])',
        ),
        (
            "postgresql",
            "SELECT count(*) FROM \"app\" WHERE app = 'app' AND pod LIKE 'app-%'",
            "SELECT count(*) FROM \"app\" WHERE app = 'app-primary' AND pod LIKE 'app-primary-%'",
        ),
        (
            "mysql",
            "SELECT count(*) FROM `app` WHERE app = \"app\" OR app = 'app'",
            "SELECT count(*) FROM `app` WHERE app = \"app-primary\" OR app = 'app-primary'",
        ),
        ("datadog", "sum:hits{service:app}", "sum:hits{service:app-primary}"),
    ],
)
def test_t5_what_is_no_text_is_no_name(language: str, query: str, expected: str) -> None:
    assert queries.for_primary(query, "app", language) == expected


def test_t5_the_language_is_that_of_the_trigger(canary: Build) -> None:
    triggers = [
        {"type": kind, "metadata": {"query": 'podinfo{app="podinfo"}'}}
        for kind in ("prometheus", "graphite")
    ]
    built = reference(canary, "ScaledObject")
    spec = KEDA.primary(built, scaled_object(triggers=triggers), None)["spec"]
    assert [trigger["metadata"]["query"] for trigger in spec["triggers"]] == [
        'podinfo{app="podinfo-primary"}',
        'podinfo-primary{app="podinfo-primary"}',
    ]


def test_names_are_no_patterns() -> None:
    assert queries.for_primary("a.b axb", "a.b", "graphite") == "a.b-primary axb"


def test_metrics_of_the_target_become_metrics_of_the_primary(canary: Build) -> None:
    def of_object(kind: str, name: str) -> Object:
        described = {"apiVersion": "v1", "kind": kind, "name": name}
        return {"type": "Object", "object": {"describedObject": described}}

    names = [
        ("Deployment", "podinfo"),
        ("Service", "podinfo-canary"),
        ("Service", "podinfo"),
        ("Ingress", "podinfo"),
        ("Deployment", "other"),
    ]
    source = hpa(metrics=[of_object(*each) for each in names])
    before = copy.deepcopy(source)
    spec = HPA.primary(reference(canary), source, None)["spec"]
    assert spec["metrics"] == [
        of_object("Deployment", "podinfo-primary"),
        of_object("Service", "podinfo-primary"),
        *(of_object(*each) for each in names[2:]),
    ]
    assert source == before


def test_an_hpa_may_leave_out_what_has_defaults(canary: Build) -> None:
    source = hpa()
    for field in ("minReplicas", "metrics", "behavior"):
        del source["spec"][field]
    spec = HPA.primary(reference(canary), source, None)["spec"]
    assert spec.keys() == {"scaleTargetRef", "maxReplicas"}


def test_the_name_that_keda_notes_on_its_objects_is_not_copied(
    canary: Build, stored: Build
) -> None:
    built, source = reference(canary, "ScaledObject"), scaled_object()
    source["metadata"]["labels"]["scaledobject.keda.sh/name"] = "web"
    body = KEDA.primary(built, source, None)
    assert body["metadata"]["labels"] == {"team": "web"}
    live = stored(body)
    live["metadata"]["labels"]["scaledobject.keda.sh/name"] = "web-primary"
    assert KEDA.primary(built, source, live) == live


def test_pausing() -> None:
    assert HPA.paused(hpa(), pause=True) is None
    assert KEDA.paused(scaled_object(), pause=False) is None
    assert KEDA.paused(scaled_object(), pause=True) == {
        "metadata": {"annotations": {PAUSED_REPLICAS: "0"}}
    }
    paused = scaled_object({PAUSED_REPLICAS: "0"})
    assert KEDA.paused(paused, pause=True) is None
    assert KEDA.paused(paused, pause=False) == {
        "metadata": {"annotations": {PAUSED_REPLICAS: None}}
    }


@pytest.mark.parametrize(("low", "replicas"), [(None, 1), (0, 1), (1, 1), (3, 3)])
def test_replicas_to_start_with(low: int | None, replicas: int) -> None:
    assert HPA.replicas(hpa(minReplicas=low)) == replicas
    assert KEDA.replicas(scaled_object(minReplicaCount=low)) == replicas


@pytest.mark.parametrize(
    ("primary", "scaler", "found", "replicas"),
    [
        (None, None, None, 1),
        ({"spec": {"replicas": 4}}, None, None, 4),
        ({"spec": {"replicas": 0}}, None, None, 1),
        ({"spec": {}}, None, None, 1),
        ({"spec": {"replicas": 4}}, HPA, hpa(), 2),
        ({"spec": {"replicas": 4}}, HPA, None, 1),
    ],
)
def test_who_says_how_many_replicas_to_start_with(
    primary: Object | None, scaler: Any, found: Object | None, replicas: int
) -> None:
    assert from_zero(primary, scaler, found) == replicas
