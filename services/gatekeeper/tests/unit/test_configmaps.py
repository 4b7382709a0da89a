import dataclasses
import datetime
import re

import pytest

from flagger_gatekeeper import audit, changes, codec, gates
from flagger_gatekeeper.store import configmaps

KEY = gates.GateKey("test", "podinfo")
NOW = datetime.datetime(2026, 11, 26, 12, 0, tzinfo=datetime.UTC)
SECOND = datetime.timedelta(seconds=1)
RETENTION = datetime.timedelta(days=90)
RECORD = gates.GateRecord(gates.State.OPEN, NOW, NOW)

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
    assert configmaps.name(KEY) == configmaps.name(gates.GateKey("test", "podinfo", "rollback"))


def test_names_do_not_change_between_versions() -> None:
    """Another name would mean that every gate is closed after an upgrade."""
    name = configmaps.name(gates.GateKey("test", "podinfo"))
    assert name == "gate-test-podinfo-879f8d4b2fe8f1292d212ba537a77f65"


def change(record: gates.GateRecord | None, *times: datetime.datetime) -> changes.Change:
    by = audit.By("1")
    return changes.Change(record, tuple(audit.Entry(at, audit.Action.OPEN, by) for at in times))


def test_writing_a_change_keeps_everything_else_and_the_original() -> None:
    before = configmaps.new(KEY)
    before["metadata"]["resourceVersion"] = "7"
    after = configmaps.written(before, KEY, change(RECORD, NOW), RETENTION)
    assert configmaps.entry(before, KEY) is None
    assert configmaps.entry(after, KEY) == codec.encode(RECORD)
    assert after["metadata"] == before["metadata"]
    assert len(configmaps.history(after)) == 1
    gone = configmaps.written(after, KEY, change(None, NOW), RETENTION)
    assert configmaps.entry(gone, KEY) is None
    assert len(configmaps.history(gone)) == 2


def test_history_is_bounded_by_time_number_and_size() -> None:
    old, young = NOW - RETENTION - SECOND, NOW - RETENTION
    found = configmaps.written(configmaps.new(KEY), KEY, change(None, old, young, NOW), RETENTION)
    assert len(configmaps.history(found)) == 2
    for number in range(600):
        at = NOW + number * SECOND
        found = configmaps.written(found, KEY, change(None, at), RETENTION)
    lines = configmaps.history(found)
    assert len(lines) == configmaps.MOST_ENTRIES
    assert audit.decode(*lines[-1]).entry.at == NOW + 599 * SECOND
    by = audit.By("1")
    long = audit.Entry(NOW, audit.Action.OPEN, by, reason="\U0001f600" * audit.LONGEST_TEXT)
    for _ in range(100):
        found = configmaps.written(found, KEY, changes.Change(None, (long,)), RETENTION)
    assert len(found["data"]["history"]) <= configmaps.HISTORY_SIZE
    assert audit.decode(*configmaps.history(found)[-1]).entry == long


def test_the_gates_of_a_canary_are_bounded() -> None:
    found = configmaps.new(KEY)
    keys = [gates.GateKey("test", "podinfo", f"g{n}") for n in range(configmaps.MOST_GATES + 1)]
    for key in keys[:-1]:
        found = configmaps.written(found, key, change(RECORD), RETENTION)
    with pytest.raises(gates.GateError, match="32 gates"):
        configmaps.written(found, keys[-1], change(RECORD), RETENTION)
    configmaps.written(found, keys[0], change(RECORD), RETENTION)
    assert [key for key, _ in configmaps.listed(found)] == keys[:-1]


def test_the_largest_config_map_is_one_that_kubernetes_takes() -> None:
    worst = "\U0001f600" * audit.LONGEST_TEXT
    record = dataclasses.replace(RECORD, reason=worst, actor=worst, expires_at=NOW)
    found = configmaps.new(gates.GateKey("n" * 300, "c" * 60_000))
    for number in range(configmaps.MOST_GATES):
        key = gates.GateKey("n" * 300, "c" * 60_000, f"g{number}")
        found = configmaps.written(found, key, change(record), RETENTION)
    size = sum(len(value.encode()) for value in found["data"].values())
    assert size + configmaps.HISTORY_SIZE < 1024 * 1024


def test_pruning_leaves_what_is_needed() -> None:
    found = configmaps.written(configmaps.new(KEY), KEY, change(RECORD, NOW), RETENTION)
    assert configmaps.pruned(found, NOW) == found
    pruned = configmaps.pruned(found, NOW + SECOND)
    assert pruned is not None
    assert configmaps.history(pruned) == []
    assert configmaps.entry(pruned, KEY) == codec.encode(RECORD)
    forgotten = configmaps.written(found, KEY, change(None, NOW), RETENTION)
    assert configmaps.pruned(forgotten, NOW) == forgotten
    assert configmaps.pruned(forgotten, NOW + SECOND) is None


@pytest.mark.parametrize("data", [None, {}, {"namespace": "test", "canary": "other"}])
def test_others_may_use_our_labels(data: dict[str, str] | None) -> None:
    found: configmaps.Object = {"metadata": {"name": configmaps.name(KEY)}}
    if data is not None:
        found["data"] = data
    assert not configmaps.is_ours(found)
    assert configmaps.is_ours(configmaps.new(KEY))


def test_another_canarys_config_map_is_refused() -> None:
    config_map = configmaps.new(gates.GateKey("test", "podinfo"))
    for key in (gates.GateKey("test", "other"), gates.GateKey("prod", "podinfo")):
        with pytest.raises(gates.CorruptRecordError):
            configmaps.entry(config_map, key)
