"""What every kind of target promises (targets/base.py), whatever it is."""

import copy
import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flagger_controller.api import knative
from flagger_controller.api.base import Object
from flagger_controller.api.canary import Canary
from flagger_controller.cluster import resources
from flagger_controller.cluster.client import Ref
from flagger_controller.targets import TARGETS, target_for, tracking
from flagger_controller.targets.base import ConfigRef, Target, TargetSettings

NOW = datetime(2026, 1, 1, tzinfo=UTC)
CONFIG = ConfigRef("ConfigMap", "settings")
SECRET = ConfigRef("Secret", "password")
CONFIGS: dict[ConfigRef, Object] = {
    CONFIG: {"metadata": {"name": "settings"}, "data": {"color": "red"}},
    SECRET: {"metadata": {"name": "password"}, "data": {"key": "cw=="}, "type": "Opaque"},
}
SERVICE_SPEC = {
    "clusterIP": "10.0.0.1",
    "ports": [{"port": 80, "protocol": "TCP", "targetPort": "http"}],
    "selector": {"app": "podinfo"},
    "type": "ClusterIP",
}


CLAIM = {
    "metadata": {"name": "data"},
    "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}},
    "status": {"phase": "Pending"},
}
SIZES: dict[str, Object] = {
    "Deployment": {"replicas": 2},
    "DaemonSet": {},
    "StatefulSet": {"replicas": 2, "serviceName": "pods", "volumeClaimTemplates": [CLAIM]},
}
"""What the specs of workloads have besides selector and template."""


KNATIVE = "serving.knative.dev/v1/Service"


def canary(kind: str, **extra: Any) -> Canary:
    api, _, name = kind.rpartition("/")
    spec = {
        "targetRef": {"apiVersion": api or "v1", "kind": name, "name": "podinfo"},
        "service": {"port": 80, "portDiscovery": True},
        "analysis": {"stepWeight": 10},
    }
    meta = {"name": "podinfo", "namespace": "test", "uid": "uid-1"}
    return Canary.from_api({"metadata": meta, "spec": spec | extra})


def pods(image: str = "podinfo:1", **extra: Any) -> Object:
    self_reference = {"labelSelector": {"matchLabels": {"app": "podinfo"}}, "topologyKey": "zone"}
    spec = {
        "containers": [
            {
                "name": "podinfo",
                "image": image,
                "envFrom": [{"configMapRef": {"name": "settings"}}],
                "ports": [{"containerPort": 9898, "name": "metrics"}],
            }
        ],
        "volumes": [{"name": "s", "secret": {"secretName": "password"}}],
        "topologySpreadConstraints": [self_reference],
    }
    return {"metadata": {"labels": {"app": "podinfo"}}, "spec": spec | extra}


def target_object(kind: str, **template: Any) -> Object:
    meta = {
        "name": "podinfo",
        "namespace": "test",
        "uid": "uid-t",
        "generation": 2,
        "labels": {"team": "web"},
        "annotations": {"kubectl.kubernetes.io/last-applied-configuration": "{}", "note": "n"},
    }
    if kind == "Service":
        selector = {"app": template.get("image", "podinfo")}
        return {"metadata": meta, "spec": SERVICE_SPEC | {"selector": selector}}
    if kind == KNATIVE:
        number = template.get("image", "podinfo:1").partition(":")[2]
        meta["annotations"] = {knative.PRIMARY_REVISION: "podinfo-1"}
        status = {"latestCreatedRevisionName": f"podinfo-{number}"}
        return {"metadata": meta, "spec": {"template": pods(**template)}, "status": status}
    spec = {"selector": {"matchLabels": {"app": "podinfo"}}, "template": pods(**template)}
    return {"metadata": meta, "spec": copy.deepcopy(spec | SIZES[kind])}


def stored(body: Object) -> Object:
    """The object as a later list shows it: without kind, with what the server adds."""
    live = {key: value for key, value in body.items() if key not in ("apiVersion", "kind")}
    live = copy.deepcopy(live)
    live["metadata"] |= {"uid": "uid-p", "resourceVersion": "7", "generation": 1}
    return live


@pytest.fixture(params=sorted(TARGETS))
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(params=sorted(TARGETS.keys() - {KNATIVE}))
def twin(request: pytest.FixtureRequest) -> str:
    """A kind whose primary is an object of its own."""
    return str(request.param)


@pytest.fixture
def target(kind: str) -> Target:
    return made(kind)


def made(kind: str) -> Target:
    return target_for(canary(kind), TargetSettings(include_label_prefix=("team",)))


def configs_of(target: Target, body: Object) -> dict[ConfigRef, Object]:
    return {ref: CONFIGS[ref] for ref in target.configs(body)}


def test_only_a_twin_is_made(target: Target, kind: str) -> None:
    assert target.twin == (kind != KNATIVE)


def test_a_new_primary_is_complete(twin: str) -> None:
    kind, target = twin, made(twin)
    source = target_object(kind)
    body = target.primary(canary(kind), source, configs_of(target, source), None)
    assert (body["apiVersion"], body["kind"]) == (target.resource.api_version, kind)
    meta = body["metadata"]
    assert (meta["name"], meta["namespace"]) == ("podinfo-primary", "test")
    assert meta["ownerReferences"] == [canary(kind).owner_reference]
    assert meta["labels"]["team"] == "web"
    assert meta["annotations"] == {"note": "n"}
    assert "uid" not in meta
    assert "status" not in body
    json.dumps(body)


def test_promoting_twice_changes_nothing(target: Target, kind: str) -> None:
    source = target_object(kind)
    configs = configs_of(target, source)
    live = stored(target.primary(canary(kind), source, configs, None))
    assert target.promoted(canary(kind), source, configs, live)
    assert target.primary(canary(kind), source, configs, live) == live


def test_a_new_revision_is_promoted_once(target: Target, kind: str) -> None:
    old, new = target_object(kind), target_object(kind, image="podinfo:2")
    assert target.revision(old) != target.revision(new)
    live = stored(target.primary(canary(kind), old, configs_of(target, old), None))
    assert not target.promoted(canary(kind), new, configs_of(target, new), live)
    live = target.primary(canary(kind), new, configs_of(target, new), live)
    assert live["metadata"]["resourceVersion"] == "7"
    assert target.promoted(canary(kind), new, configs_of(target, new), live)
    assert not target.promoted(canary(kind), old, configs_of(target, old), live)


def test_the_revision_is_in_our_form(target: Target, kind: str) -> None:
    assert target.revision(target_object(kind)).startswith("v2:")


def test_metadata_is_no_revision(target: Target, kind: str) -> None:
    source = target_object(kind)
    changed = copy.deepcopy(source)
    changed["metadata"] |= {"labels": {"x": "y"}, "generation": 9, "resourceVersion": "11"}
    changed["status"] = {**source.get("status", {}), "anything": 1}
    assert target.revision(source) == target.revision(changed)


def test_inputs_stay_as_they_are(target: Target, kind: str) -> None:
    source = target_object(kind)
    configs = copy.deepcopy(configs_of(target, source))
    built = canary(kind)
    live = stored(target.primary(built, source, configs, None))
    before = copy.deepcopy((source, configs, live))
    target.traits(built, source)
    target.revision(source)
    target.configs(source)
    target.primary(built, target_object(kind, image="podinfo:2"), configs, live)
    target.promoted(built, source, configs, live)
    target.check(built, source, live)
    everything = {ref: live for ref in target.refs(built, source) if ref.name}
    target.copies(built, source, everything)
    target.stale(built, source, everything)
    target.scaled(built, source, up=False, replicas=1)
    target.reverted(source, live, replicas=1)
    target.health(built, live, primary=True, now=NOW)
    target.workload(built, source, primary=True)
    target.carries(built, live)
    assert (source, configs, live) == before


def test_the_result_shares_nothing_with_the_inputs(target: Target, kind: str) -> None:
    """Callers may keep and change what they get, the cache must not notice."""
    source = target_object(kind)
    live = stored(target.primary(canary(kind), source, configs_of(target, source), None))
    before = copy.deepcopy((source, live))
    body = target.primary(canary(kind), source, configs_of(target, source), live)
    _scribble(body)
    assert (source, live) == before


def _scribble(value: Any) -> None:
    if isinstance(value, dict):
        for item in list(value.values()):
            _scribble(item)
        value["scribbled"] = True
    elif isinstance(value, list):
        for item in value:
            _scribble(item)
        value.append("scribbled")


def test_scaling_twice_is_scaling_once(target: Target, kind: str) -> None:
    source = target_object(kind)
    for up in (False, True):
        patch = target.scaled(canary(kind), source, up=up, replicas=2)
        if patch is not None:
            source = _patched(source, patch)
        assert target.scaled(canary(kind), source, up=up, replicas=2) is None


def _patched(body: Object, patch: Object) -> Object:
    result = dict(body)
    for key, value in patch.items():
        if value is None:
            result.pop(key, None)
        elif isinstance(value, dict):
            result[key] = _patched(result.get(key) or {}, value)
        else:
            result[key] = value
    return result


def test_scaling_is_no_revision(target: Target, kind: str) -> None:
    source = target_object(kind)
    patch = target.scaled(canary(kind), source, up=False, replicas=1) or {}
    assert target.revision(_patched(source, patch)) == target.revision(source)


def test_configs_are_redirected_to_their_copies(target: Target, kind: str) -> None:
    source = target_object(kind)
    configs = configs_of(target, source)
    body = target.primary(canary(kind), source, configs, None)
    names = {ref.name for ref in target.configs(body)} if configs else set()
    assert names == {f"{ref.name}-primary" for ref in configs}


def test_untracked_configs_are_left_alone(target: Target, kind: str) -> None:
    source = target_object(kind)
    body = target.primary(canary(kind), source, {}, None)
    assert target.configs(body) == target.configs(source)


def test_what_follows_the_target_is_written_once(target: Target, kind: str) -> None:
    source = target_object(kind)
    governing = {"metadata": {"name": "pods"}, "spec": SERVICE_SPEC | {"clusterIP": "None"}}
    users = {ref: governing for ref in target.refs(canary(kind), source) if ref.name == "pods"}
    copies = target.copies(canary(kind), source, users)
    assert set(copies) <= set(target.refs(canary(kind), source)) - set(users)
    assert (copies != {}) == (kind in ("Service", "StatefulSet"))
    live = {ref: stored(body) for ref, body in copies.items()}
    assert target.copies(canary(kind), source, users | live) == live


def test_the_primary_of_a_workload_has_a_disruption_budget(target: Target, kind: str) -> None:
    source = target_object(kind)
    budget = Ref(resources.DISRUPTION_BUDGETS, "podinfo", "test")
    spec = {"minAvailable": 1, "selector": {"matchLabels": {"app": "podinfo"}}}
    users = {budget: {"metadata": {"name": "podinfo"}, "spec": spec}}
    copies = target.copies(canary(kind), source, users)
    found = {ref: body for ref, body in copies.items() if ref.peers == budget.peers}
    assert (found != {}) == (budget.peers in target.refs(canary(kind), source))
    assert (found != {}) == (kind not in ("Service", KNATIVE))
    live = {ref: stored(body) for ref, body in found.items()}
    assert target.copies(canary(kind), source, users | live).items() >= live.items()
    assert target.stale(canary(kind), source, users | live) == ()
    assert target.stale(canary(kind), source, live) == tuple(live)


def test_a_target_that_is_like_its_primary_is_not_refused(target: Target, kind: str) -> None:
    source = target_object(kind)
    target.check(canary(kind), source, None)
    live = stored(target.primary(canary(kind), source, configs_of(target, source), None))
    target.check(canary(kind), source, live)


def test_the_primary_tells_its_revision(target: Target, kind: str) -> None:
    """Also when the target has another one by now; a Service cannot tell."""
    source = target_object(kind)
    configs = configs_of(target, source)
    promoted = canary(kind)
    for spec, known in ((target.revision(source), kind != "Service"), ("v2:other", False)):
        tracked = tracking.checksums(configs) if configs else None
        update = {"last_applied_spec": spec, "tracked_configs": tracked}
        status = promoted.status.model_copy(update=update)
        now = promoted.model_copy(update={"status": status})
        assert target.carries(now, target.primary(now, source, configs, None)) == known


def test_readiness_is_that_of_an_object_that_is_watched(target: Target, kind: str) -> None:
    source, built = target_object(kind, image="podinfo:2"), canary(kind)
    for primary in (False, True):
        ref = target.workload(built, source, primary=primary)
        assert (ref in target.refs(built, source)) != target.twin
        number = {False: "podinfo-2", True: "podinfo-1"}[primary]
        assert ref.name == (f"podinfo{'-primary' * primary}" if target.twin else number)


def test_health_tells_what_is_missing(target: Target, kind: str) -> None:
    health = target.health(canary(kind), target_object(kind), primary=False, now=NOW)
    assert health.ready == (health.reason == "")
    assert health.ready == (kind == "Service")


_fields: st.SearchStrategy[Any] = st.none() | st.just({}) | st.just([])


@given(_fields, _fields, _fields, _fields)
def test_odd_pods_are_scanned(first: Any, second: Any, third: Any, fourth: Any) -> None:
    pod = {
        "volumes": first,
        "containers": [{"name": "c", "env": second, "envFrom": third}],
        "initContainers": fourth,
    }
    assert tracking.references(pod) == ()
