"""Which configs are tracked, their checksums and their copies (targets.md 8, canary-api.md 6.4)."""

import base64
import copy
from typing import Any

import pytest

from flagger_controller.api.base import Object
from flagger_controller.targets import tracking
from flagger_controller.targets.base import ConfigRef, TargetSettings

from .workloads import Build

SETTINGS = TargetSettings(include_label_prefix=("team",))
SETTINGS_REF = ConfigRef("ConfigMap", "settings")


def config_map(name: str = "settings", **fields: Any) -> Object:
    meta = {"name": name, "namespace": "test", "uid": "u", "labels": {"team": "web", "x": "y"}}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta} | fields


def pod() -> Object:
    return {
        "volumes": [
            {"name": "files", "configMap": {"name": "files", "items": [{"key": "a", "path": "b"}]}},
            {"name": "cert", "secret": {"secretName": "cert", "optional": True}},
            {"name": "tmp", "emptyDir": {}},
            {
                "name": "all",
                "projected": {
                    "sources": [
                        {"configMap": {"name": "files"}},
                        {"secret": {"name": "password"}},
                        {"downwardAPI": {}},
                        {"serviceAccountToken": {"path": "t"}},
                    ]
                },
            },
            {"name": "csi", "csi": {"nodePublishSecretRef": {"name": "untracked"}}},
        ],
        "imagePullSecrets": [{"name": "untracked"}],
        "containers": [
            {
                "name": "podinfo",
                "env": [
                    {"name": "A", "valueFrom": {"configMapKeyRef": {"name": "settings"}}},
                    {"name": "B", "valueFrom": {"secretKeyRef": {"name": "password"}}},
                    {"name": "C", "valueFrom": {"fieldRef": {"fieldPath": "x"}}},
                    {
                        "name": "E",
                        "valueFrom": {"configMapKeyRef": {"name": "later", "optional": True}},
                    },
                    {"name": "D", "value": "plain"},
                ],
                "envFrom": [{"configMapRef": {"name": "settings"}, "secretRef": {"name": "never"}}],
            }
        ],
        "initContainers": [{"name": "init", "envFrom": [{"secretRef": {"name": "token"}}]}],
        "ephemeralContainers": [{"envFrom": [{"secretRef": {"name": "untracked"}}]}],
    }


def test_references_of_volumes_containers_and_init_containers() -> None:
    assert tracking.references(pod()) == (
        ConfigRef("ConfigMap", "files"),
        ConfigRef("Secret", "cert", optional=True),
        ConfigRef("Secret", "password"),
        ConfigRef("ConfigMap", "settings"),
        ConfigRef("ConfigMap", "later", optional=True),
        ConfigRef("Secret", "token"),
    )


def test_references_survive_empty_and_null_fields() -> None:
    odd: Object = {
        "volumes": None,
        "containers": [{"env": None, "envFrom": [{}]}, {"env": [{"valueFrom": None}]}],
        "initContainers": [{"env": [{"valueFrom": {"configMapKeyRef": {"key": "x"}}}]}],
    }
    assert tracking.references(odd) == ()


def test_t27_one_mandatory_reference_makes_a_config_mandatory() -> None:
    for flags in ([True, False], [False, True]):
        env = [
            {"valueFrom": {"configMapKeyRef": {"name": "a", "optional": optional}}}
            for optional in flags
        ]
        assert tracking.references({"containers": [{"env": env}]}) == (ConfigRef("ConfigMap", "a"),)


def test_t27_a_missing_config_is_told_once() -> None:
    assert tracking.explained([SETTINGS_REF, ConfigRef("Secret", "token")], "test") == (
        'configmap settings.test get query error: configmaps "settings" not found'
    )
    assert tracking.explained([], "test") == ""


@pytest.mark.parametrize(
    ("kind", "config", "counts"),
    [
        ("ConfigMap", {"metadata": {}}, True),
        ("ConfigMap", {"metadata": {"annotations": {tracking.OPT_OUT: "disabled"}}}, False),
        ("ConfigMap", {"metadata": {"annotations": {tracking.OPT_OUT: "disable"}}}, False),
        ("ConfigMap", {"metadata": {"annotations": {tracking.OPT_OUT: "enabled"}}}, True),
        ("ConfigMap", {"metadata": {"annotations": None}}, True),
        ("Secret", {"metadata": {}, "type": "Opaque"}, True),
        ("Secret", {"metadata": {}, "type": "kubernetes.io/basic-auth"}, True),
        ("Secret", {"metadata": {}, "type": "kubernetes.io/ssh-auth"}, True),
        ("Secret", {"metadata": {}, "type": "kubernetes.io/tls"}, True),
        ("Secret", {"metadata": {}, "type": "example.com/other"}, False),
        ("Secret", {"metadata": {}, "type": "kubernetes.io/service-account-token"}, False),
    ],
)
def test_which_objects_count(kind: str, config: Object, counts: bool) -> None:
    ref = ConfigRef(kind, "c")
    assert (ref in tracking.resolve({ref: config})) is counts


@pytest.mark.parametrize(
    ("config", "checksum"),
    [
        ({}, "74234e98afe7498f"),
        ({"data": {}}, "44136fa355b3678a"),
        ({"data": {"color": "red"}}, "241889ca0604e333"),
        ({"data": {"apiKey": base64.b64encode(b"test").decode()}}, "3930f0692c2295eb"),
        ({"data": {"color": "red", "a": "<&>\u2028é\n\t\x01\x7f"}}, "543b65690761afd8"),
        ({"data": {"color": "red"}, "binaryData": {}}, "241889ca0604e333"),
    ],
)
def test_checksums_are_upstreams(config: Object, checksum: str) -> None:
    assert tracking.checksum(config) == checksum


def test_t1_binary_data_changes_the_checksum() -> None:
    plain = tracking.checksum({"data": {"a": "b"}})
    one = tracking.checksum({"data": {"a": "b"}, "binaryData": {"f": "AA=="}})
    other = tracking.checksum({"data": {"a": "b"}, "binaryData": {"f": "AQ=="}})
    assert len({plain, one, other}) == 3


def test_checksum_keys() -> None:
    configs = {SETTINGS_REF: config_map(data={"color": "red"}), ConfigRef("Secret", "s"): {}}
    assert tracking.checksums(configs) == {
        "configmap/settings": "241889ca0604e333",
        "secret/s": "74234e98afe7498f",
    }


def test_new_copy(canary: Build) -> None:
    source = config_map(data={"a": "b"}, binaryData={"f": "AA=="}, immutable=True)
    source["metadata"]["annotations"] = {"note": "n"}
    assert tracking.copied(canary(), SETTINGS, SETTINGS_REF, source, None) == {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {
            "name": "settings-primary",
            "namespace": "test",
            "labels": {"team": "web"},
            "ownerReferences": [canary().owner_reference],
        },
        "data": {"a": "b"},
        "binaryData": {"f": "AA=="},
    }


def test_secret_copies_keep_their_type(canary: Build) -> None:
    source = config_map("cert", type="kubernetes.io/tls", data={"tls.crt": "Yw=="})
    body = tracking.copied(canary(), SETTINGS, ConfigRef("Secret", "cert"), source, None)
    assert (body["kind"], body["type"], body["data"]) == (
        "Secret",
        "kubernetes.io/tls",
        {"tls.crt": "Yw=="},
    )


def test_copying_twice_changes_nothing(canary: Build, stored: Build) -> None:
    source = config_map(data={"a": "b"})
    live = stored(tracking.copied(canary(), SETTINGS, SETTINGS_REF, source, None))
    before = copy.deepcopy(live)
    assert tracking.copied(canary(), SETTINGS, SETTINGS_REF, source, live) == live
    assert live == before


def test_copy_follows_the_source_and_keeps_what_others_added(canary: Build, stored: Build) -> None:
    source = config_map(data={"a": "b"}, binaryData={"f": "AA=="})
    live = stored(tracking.copied(canary(), SETTINGS, SETTINGS_REF, source, None))
    live["metadata"]["labels"]["mine"] = "1"
    live["metadata"]["labels"]["team-old"] = "1"
    live["metadata"]["annotations"] = {"note": "n"}
    body = tracking.copied(canary(), SETTINGS, SETTINGS_REF, config_map(data={"a": "c"}), live)
    assert body["data"] == {"a": "c"}
    assert "binaryData" not in body
    assert body["metadata"]["labels"] == {"team": "web", "mine": "1"}
    assert body["metadata"]["annotations"] == {"note": "n"}
    assert body["metadata"]["resourceVersion"] == live["metadata"]["resourceVersion"]


def test_two_canaries_share_a_copy(canary: Build, stored: Build) -> None:
    source = config_map(data={"a": "b"})
    other = canary(uid="uid-2").model_copy(
        update={"metadata": canary(uid="uid-2").metadata.model_copy(update={"name": "other"})}
    )
    live = stored(tracking.copied(other, SETTINGS, SETTINGS_REF, source, None))
    shared = tracking.copied(canary(), SETTINGS, SETTINGS_REF, source, live)
    first, second = shared["metadata"]["ownerReferences"]
    assert (first["name"], first["controller"]) == ("podinfo", True)
    assert (second["name"], second["controller"]) == ("other", False)
    # nobody takes it back and forth
    assert tracking.copied(other, SETTINGS, SETTINGS_REF, source, shared) == shared
    assert tracking.copied(canary(), SETTINGS, SETTINGS_REF, source, shared) == shared


def test_recreated_canary_replaces_its_old_reference(canary: Build, stored: Build) -> None:
    source = config_map(data={"a": "b"})
    live = stored(tracking.copied(canary(uid="old"), SETTINGS, SETTINGS_REF, source, None))
    body = tracking.copied(canary(uid="new"), SETTINGS, SETTINGS_REF, source, live)
    assert [item["uid"] for item in body["metadata"]["ownerReferences"]] == ["new"]


def test_only_tracked_references_are_redirected() -> None:
    spec = pod()
    tracking.redirect(
        spec,
        {
            ConfigRef("ConfigMap", "files"),
            ConfigRef("ConfigMap", "settings"),
            ConfigRef("Secret", "cert"),
            ConfigRef("Secret", "token"),
        },
    )
    expected = pod()
    expected["volumes"][0]["configMap"]["name"] = "files-primary"
    expected["volumes"][1]["secret"]["secretName"] = "cert-primary"
    expected["volumes"][3]["projected"]["sources"][0]["configMap"]["name"] = "files-primary"
    container = expected["containers"][0]
    container["env"][0]["valueFrom"]["configMapKeyRef"]["name"] = "settings-primary"
    container["envFrom"][0]["configMapRef"]["name"] = "settings-primary"
    expected["initContainers"][0]["envFrom"][0]["secretRef"]["name"] = "token-primary"
    assert spec == expected


def test_a_secret_and_a_config_map_of_one_name_are_told_apart() -> None:
    spec: Object = {
        "containers": [
            {"envFrom": [{"configMapRef": {"name": "same"}}, {"secretRef": {"name": "same"}}]}
        ]
    }
    tracking.redirect(spec, {ConfigRef("Secret", "same")})
    assert spec["containers"][0]["envFrom"] == [
        {"configMapRef": {"name": "same"}},
        {"secretRef": {"name": "same-primary"}},
    ]
