import re

import pytest

from flagger_gatekeeper import gates
from flagger_gatekeeper.store import configmaps

SUBDOMAIN = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")


@pytest.mark.parametrize(
    ("namespace", "canary", "readable"),
    [
        ("test", "podinfo", "gate-test-podinfo-"),
        ("", "", "gate-"),
        ("", "podinfo", "gate-podinfo-"),
        ("Test", "a.b", "gate-test-a-b-"),
        ("", "---", "gate-"),
        ("\u00fc", "\U0001f600", "gate-"),
        ("n" * 300, "c" * 60_000, "gate-" + "n" * 100 + "-"),
    ],
)
def test_every_canary_has_a_name_kubernetes_takes(
    namespace: str, canary: str, readable: str
) -> None:
    name = configmaps.name(gates.GateKey(namespace, canary))
    assert re.fullmatch(readable + "[0-9a-f]{32}", name)
    assert SUBDOMAIN.fullmatch(name)
    assert len(name) <= 253


def test_all_gates_of_a_canary_share_a_config_map() -> None:
    key = gates.GateKey("test", "podinfo")
    assert configmaps.name(key) == configmaps.name(gates.GateKey("test", "podinfo", "rollback"))


def test_names_do_not_change_between_versions() -> None:
    """Another name would mean that every gate is closed after an upgrade."""
    name = configmaps.name(gates.GateKey("test", "podinfo"))
    assert name == "gate-test-podinfo-879f8d4b2fe8f1292d212ba537a77f65"


def test_writing_an_entry_keeps_everything_else_and_the_original() -> None:
    key = gates.GateKey("test", "podinfo")
    before = configmaps.new(key)
    before["metadata"]["resourceVersion"] = "7"
    after = configmaps.with_entry(before, key, "text")
    assert configmaps.entry(before, key) is None
    assert configmaps.entry(after, key) == "text"
    assert after["metadata"] == before["metadata"]


def test_another_canarys_config_map_is_refused() -> None:
    config_map = configmaps.new(gates.GateKey("test", "podinfo"))
    for key in (gates.GateKey("test", "other"), gates.GateKey("prod", "podinfo")):
        with pytest.raises(gates.CorruptRecordError):
            configmaps.entry(config_map, key)
