"""StatefulSets as targets: volumes, names, and what cannot be served (docs/targets.md)."""

from typing import Any

import pytest

from flagger_controller.api.base import Object
from flagger_controller.cluster import resources
from flagger_controller.cluster.client import Ref
from flagger_controller.errors import ConfigError
from flagger_controller.targets.base import ConfigRef
from flagger_controller.targets.statefulset import StatefulSet

from .workloads import Build, new_primary, of_kind, take_identity

TARGET = StatefulSet()
PODS = Ref(resources.SERVICES, "pods", "test")
PRIMARY_PODS = Ref(resources.SERVICES, "pods-primary", "test")
CLAIM: Object = {
    "apiVersion": "v1",
    "kind": "PersistentVolumeClaim",
    "metadata": {"creationTimestamp": None, "name": "data"},
    "spec": {
        "accessModes": ["ReadWriteOnce"],
        "resources": {"requests": {"storage": "1Gi"}},
        "volumeMode": "Filesystem",
    },
    "status": {"phase": "Pending"},
}
RETENTION: Object = {"whenDeleted": "Retain", "whenScaled": "Retain"}
SPEC: Object = {
    "persistentVolumeClaimRetentionPolicy": RETENTION,
    "podManagementPolicy": "OrderedReady",
    "replicas": 2,
    "revisionHistoryLimit": 10,
    "serviceName": "pods",
    "updateStrategy": {"rollingUpdate": {"partition": 0}, "type": "RollingUpdate"},
    "volumeClaimTemplates": [CLAIM],
}


@pytest.fixture
def statefulset(deployment: Build) -> Build:
    """Build a target as the API server returns it; keyword arguments replace parts of its spec."""

    def build(pod: Object | None = None, **spec: Any) -> Object:
        return of_kind("StatefulSet", deployment(pod=pod), SPEC | spec)

    return build


def governing(**spec: Any) -> Object:
    """The user's governing Service as the API server returns it."""
    base = {
        "clusterIP": "None",
        "clusterIPs": ["None"],
        "internalTrafficPolicy": "Cluster",
        "ipFamilies": ["IPv4"],
        "ipFamilyPolicy": "SingleStack",
        "publishNotReadyAddresses": True,
        "selector": {"app": "podinfo", "tier": "db"},
        "sessionAffinity": "None",
        "type": "ClusterIP",
    }
    meta = {"name": "pods", "namespace": "test", "uid": "uid-g", "labels": {"team": "web"}}
    return {"apiVersion": "v1", "kind": "Service", "metadata": meta, "spec": base | spec}


def refusal(canary: Any, target: Object, primary: Object | None = None) -> str:
    with pytest.raises(ConfigError) as caught:
        TARGET.check(canary, target, primary)
    return str(caught.value)


# The primary


def test_new_primary(canary: Build, statefulset: Build, template: Object) -> None:
    body = TARGET.primary(canary(), statefulset(minReadySeconds=5, ordinals={"start": 3}), {}, None)
    assert take_identity(body)
    spec = {
        "minReadySeconds": 5,
        "ordinals": {"start": 3},
        "podManagementPolicy": "OrderedReady",
        "replicas": 2,
        "revisionHistoryLimit": 10,
        "serviceName": "pods-primary",
        "updateStrategy": {"rollingUpdate": {"partition": 0}, "type": "RollingUpdate"},
        "volumeClaimTemplates": [{k: CLAIM[k] for k in CLAIM if k != "status"}],
    }
    assert body == new_primary(canary(), "StatefulSet", template, spec)


def test_a_primary_without_volumes_and_names(canary: Build, statefulset: Build) -> None:
    target = statefulset(serviceName="", volumeClaimTemplates=None)
    spec = TARGET.primary(canary(), target, {}, None)["spec"]
    assert spec.get("serviceName", "") == ""
    assert "volumeClaimTemplates" not in spec


@pytest.mark.parametrize("policy", ["OrderedReady", "Parallel"])
def test_pods_are_managed_as_in_the_target(canary: Build, statefulset: Build, policy: str) -> None:
    target = statefulset(podManagementPolicy=policy)
    assert TARGET.primary(canary(), target, {}, None)["spec"]["podManagementPolicy"] == policy


def test_no_policy_of_the_target_deletes_volumes_of_the_primary(
    canary: Build, statefulset: Build, stored: Build
) -> None:
    policy = {"whenDeleted": "Delete", "whenScaled": "Retain"}
    target = statefulset(persistentVolumeClaimRetentionPolicy=policy)
    body = TARGET.primary(canary(), target, {}, None)
    assert "persistentVolumeClaimRetentionPolicy" not in body["spec"]
    live = stored(body)
    live["spec"]["persistentVolumeClaimRetentionPolicy"] = RETENTION
    assert TARGET.primary(canary(), target, {}, live) == live


def test_a_promotion_changes_only_what_the_server_lets_change(
    canary: Build, statefulset: Build, stored: Build
) -> None:
    live = stored(TARGET.primary(canary(), statefulset(), {}, None))
    target = statefulset(
        minReadySeconds=9,
        ordinals={"start": 1},
        podManagementPolicy="Parallel",
        replicas=5,
        revisionHistoryLimit=2,
        serviceName="others",
        updateStrategy={"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 2}},
        volumeClaimTemplates=[],
    )
    spec = TARGET.primary(canary(), target, {}, live)["spec"]
    changed = {key for key in spec if spec[key] != live["spec"].get(key)}
    assert changed == {"minReadySeconds", "replicas", "updateStrategy"}


def test_a_change_that_pods_do_not_see_is_no_revision(statefulset: Build) -> None:
    target = statefulset()
    assert TARGET.revision(target) == TARGET.revision(statefulset(replicas=0, minReadySeconds=9))
    assert TARGET.revision(target) == TARGET.revision(statefulset(volumeClaimTemplates=[]))
    assert TARGET.revision(target) != TARGET.revision(statefulset(pod={"hostNetwork": True}))


def test_configs_and_self_references_are_rewritten(canary: Build, statefulset: Build) -> None:
    away = {"labelSelector": {"matchLabels": {"app": "podinfo"}}, "topologyKey": "zone"}
    rule = {"requiredDuringSchedulingIgnoredDuringExecution": [away]}
    pod = {
        "affinity": {"podAntiAffinity": rule},
        "volumes": [{"name": "c", "configMap": {"name": "settings"}}],
    }
    configs = {ConfigRef("ConfigMap", "settings"): {"data": {"a": "b"}}}
    body = TARGET.primary(canary(), statefulset(pod), configs, None)
    spec = body["spec"]["template"]["spec"]
    (term,) = spec["affinity"]["podAntiAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]
    assert term["labelSelector"]["matchLabels"] == {"app": "podinfo-primary"}
    assert spec["volumes"][0]["configMap"]["name"] == "settings-primary"


# The governing Service


def test_the_primarys_pods_have_a_governing_service(canary: Build, statefulset: Build) -> None:
    assert set(TARGET.refs(canary(), statefulset())) >= {PODS, PRIMARY_PODS}
    source = governing(ports=[{"name": "http", "port": 80, "protocol": "TCP"}])
    copies = TARGET.copies(canary(), statefulset(), {PODS: source})
    assert copies == {
        PRIMARY_PODS: {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {
                "name": "pods-primary",
                "namespace": "test",
                "labels": {"team": "web"},
                "ownerReferences": [canary().owner_reference],
            },
            "spec": {
                "clusterIP": "None",
                "internalTrafficPolicy": "Cluster",
                "ipFamilyPolicy": "SingleStack",
                "ports": [{"name": "http", "port": 80, "protocol": "TCP"}],
                "publishNotReadyAddresses": True,
                "selector": {"app": "podinfo-primary", "tier": "db"},
                "sessionAffinity": "None",
                "type": "ClusterIP",
            },
        }
    }


def test_the_governing_service_of_the_primary_follows(
    canary: Build, statefulset: Build, stored: Build
) -> None:
    (body,) = TARGET.copies(canary(), statefulset(), {PODS: governing()}).values()
    live = stored(body)
    live["spec"] |= {"clusterIPs": ["None"], "ipFamilies": ["IPv4"]}
    there = {PODS: governing(), PRIMARY_PODS: live}
    assert TARGET.copies(canary(), statefulset(), there) == {PRIMARY_PODS: live}
    changed = there | {PODS: governing(publishNotReadyAddresses=False)}
    (body,) = TARGET.copies(canary(), statefulset(), changed).values()
    assert body["spec"] == live["spec"] | {"publishNotReadyAddresses": False}


def test_a_governing_service_that_somebody_else_made_is_left_alone(
    canary: Build, statefulset: Build
) -> None:
    there = {PODS: governing(), PRIMARY_PODS: governing()}
    assert TARGET.copies(canary(), statefulset(), there) == {}


def test_without_a_governing_service_there_is_none_to_copy(
    canary: Build, statefulset: Build
) -> None:
    assert TARGET.copies(canary(), statefulset(), {}) == {}
    refs = TARGET.refs(canary(), statefulset(serviceName=""))
    assert [ref for ref in refs if ref.resource == resources.SERVICES] == []
    assert TARGET.copies(canary(), statefulset(serviceName=""), {}) == {}


# What cannot be served


def test_what_can_be_served(canary: Build, statefulset: Build) -> None:
    TARGET.check(canary(), statefulset(), None)
    TARGET.check(canary(), statefulset(updateStrategy={}), None)
    deleting = {"whenScaled": "Delete"}
    without = statefulset(
        persistentVolumeClaimRetentionPolicy=deleting, volumeClaimTemplates=None, serviceName=""
    )
    TARGET.check(canary(), without, None)


@pytest.mark.parametrize(
    ("spec", "text"),
    [
        (
            {"updateStrategy": {"type": "OnDelete"}},
            "must have RollingUpdate strategy but have OnDelete: set spec.updateStrategy.type",
        ),
        (
            {"updateStrategy": {"type": "RollingUpdate", "rollingUpdate": {"partition": 2}}},
            "spec.updateStrategy.rollingUpdate.partition 2 keeps pods at the old revision: "
            "set it to 0, the Canary is what rolls out in steps",
        ),
        (
            {"persistentVolumeClaimRetentionPolicy": {"whenScaled": "Delete"}},
            "spec.persistentVolumeClaimRetentionPolicy.whenScaled Delete would delete its volumes "
            "when the Canary scales it to zero: set it to Retain",
        ),
        (
            {"serviceName": "p" * 56},
            f'spec.serviceName: "{"p" * 56}-primary" would be longer than 63 characters: '
            "make the StatefulSet anew with a shorter one",
        ),
    ],
    ids=["on-delete", "partition", "when-scaled", "long-name"],
)
def test_what_cannot_be_served(canary: Build, statefulset: Build, spec: Object, text: str) -> None:
    assert refusal(canary(), statefulset(**spec)) == f"statefulset podinfo.test {text}"


@pytest.mark.parametrize(
    ("governs", "apex", "taken"),
    [
        ("podinfo", "", "podinfo"),
        ("pods", "pods", "pods"),
        ("podinfo-primary", "", "podinfo-primary"),
        ("podinfo-canary", "", "podinfo-canary"),
        ("web", "web-primary", "web-primary"),
    ],
)
def test_the_users_governing_service_is_never_taken_over(
    canary: Build, statefulset: Build, governs: str, apex: str, taken: str
) -> None:
    built = canary(service={"name": apex})
    assert refusal(built, statefulset(serviceName=governs)) == (
        f"statefulset podinfo.test spec.serviceName: the Service {taken} gives pods their names, "
        "the Canary would take it over: set spec.service.name of the Canary to another name"
    )
    TARGET.check(canary(service={"name": "shop"}), statefulset(serviceName=governs), None)


@pytest.mark.parametrize(
    ("spec", "fields"),
    [
        (
            {"volumeClaimTemplates": [CLAIM | {"metadata": {"name": "logs"}}]},
            "volumeClaimTemplates",
        ),
        ({"volumeClaimTemplates": None}, "volumeClaimTemplates"),
        ({"podManagementPolicy": "Parallel"}, "podManagementPolicy"),
        ({"serviceName": "others"}, "serviceName"),
        ({"selector": {"matchLabels": {"app": "web"}}}, "selector"),
        (
            {"podManagementPolicy": "Parallel", "serviceName": "others"},
            "serviceName, spec.podManagementPolicy",
        ),
    ],
)
def test_a_target_that_its_primary_cannot_follow(
    canary: Build, statefulset: Build, stored: Build, spec: Object, fields: str
) -> None:
    live = stored(TARGET.primary(canary(), statefulset(), {}, None))
    assert refusal(canary(), statefulset(**spec), live) == (
        f"statefulset podinfo.test spec.{fields} cannot be changed in its primary: change it back, "
        "or delete StatefulSet podinfo-primary, which is then made anew on the same volumes"
    )


def test_what_the_server_adds_to_claims_is_no_difference(
    canary: Build, statefulset: Build, stored: Build
) -> None:
    live = stored(TARGET.primary(canary(), statefulset(), {}, None))
    live["spec"]["volumeClaimTemplates"] = [CLAIM | {"status": {"phase": "Bound"}}]
    TARGET.check(canary(), statefulset(), live)


def test_everything_that_is_wrong_is_told_at_once(canary: Build, statefulset: Build) -> None:
    target = statefulset(updateStrategy={"type": "OnDelete"}, serviceName="podinfo")
    assert len(refusal(canary(), target).split("; statefulset podinfo.test ")) == 2
