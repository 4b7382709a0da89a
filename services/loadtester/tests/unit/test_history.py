"""What is remembered of tasks, and what is forgotten."""

import dataclasses

from flagger_common.payload import CanaryWebhookPayload
from flagger_loadtester import records
from flagger_loadtester.history import History, Once
from flagger_loadtester.records import Record

PAYLOAD = CanaryWebhookPayload(name="n" * 1000, namespace="test")


def record(number: str, output: str = "") -> Record:
    made = records.accepted(PAYLOAD, number, "cmd", "x" * 10_000, 1.0)
    return dataclasses.replace(made, output=output)


def test_the_oldest_records_are_forgotten() -> None:
    kept = History(2)
    for number in "abc":
        kept.add(record(number, "out"))
    assert [one.id for one in kept] == ["b", "c"]
    assert kept.find("a") is None
    assert kept.find("b") == record("b", "out")


def test_the_oldest_outputs_are_dropped_first() -> None:
    kept = History(10, most_output=10)
    for number, output in (("a", "12345"), ("b", ""), ("c", "123456"), ("d", "1234")):
        kept.add(record(number, output))
    assert [one.output for one in kept] == ["", "", "123456", "1234"]
    kept.add(record("e", "1" * 11))
    assert [one.output for one in kept] == [""] * 5


def test_a_forgotten_record_makes_room_for_output() -> None:
    kept = History(1, most_output=10)
    for number in "abc":
        kept.add(record(number, "1234"))
    assert [one.output for one in kept] == ["1234"]


def test_a_history_may_be_off() -> None:
    kept = History(0)
    kept.add(record("a", "out"))
    assert list(kept) == []


def test_long_names_and_commands_are_cut() -> None:
    assert (len(record("a").canary), len(record("a").label)) == (253, 4096)


def test_successes_are_remembered_up_to_a_limit() -> None:
    once = Once()
    for number in range(1001):
        once.add((str(number),), f"{number}")
    assert once.find(("0",)) is None
    assert once.find(("1",)) == "1"
    assert once.find(("1000",)) == "1000"
