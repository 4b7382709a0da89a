"""What payloads ask for, and which earlier tasks they end: all cases."""

import pytest

from flagger_loadtester import orders
from flagger_loadtester.orders import Order
from flagger_loadtester.tasks.base import TaskError

from .held import BACKGROUND, BLOCKING, Held, payload

EVENT = {"eventMessage": "New revision detected!", "eventType": "Normal", "timestamp": "1"}


def test_extensions() -> None:
    sent = payload(timeout="1m30s", failFast="true", onlyOnce="1")
    order = orders.read(BACKGROUND, Held(), sent)
    assert (order.timeout, order.fail_fast, order.once) == (90.0, True, True)
    order = orders.read(BACKGROUND, Held(), payload(failFast="yes"))
    assert (order.timeout, order.fail_fast, order.once) == (None, False, False)


@pytest.mark.parametrize("text", ["", "5", "0s", "-1s", "soon"])
def test_bad_timeouts_are_refused(text: str) -> None:
    with pytest.raises(TaskError, match="`timeout`"):
        orders.read(BACKGROUND, Held(), payload(timeout=text))


def test_background_tasks_are_the_same_whatever_the_revision() -> None:
    key = Order(BACKGROUND, Held(), payload(cmd="x")).key
    assert key == Order(BACKGROUND, Held(), payload("Failed", "two", cmd="x", other="y")).key
    assert key != Order(BACKGROUND, Held("other"), payload(cmd="x")).key


def test_blocking_tasks_are_the_same_with_the_same_metadata_and_revision() -> None:
    key = Order(BLOCKING, Held(), payload(cmd="x")).key
    assert key == Order(BLOCKING, Held(), payload("Failed", cmd="x", returnCmdOutput="true")).key
    assert key != Order(BLOCKING, Held(), payload(checksum="two", cmd="x")).key
    assert key != Order(BLOCKING, Held(), payload(cmd="x", server="y")).key


def test_events_are_known_by_their_message() -> None:
    assert orders.is_event(payload(cmd="x", **EVENT))
    assert not orders.is_event(payload(cmd="x", eventType="Normal"))


ANOTHER = "the canary has another revision"


@pytest.mark.parametrize(
    ("phase", "checksum", "event", "why"),
    [
        ("Progressing", "one", False, ""),
        ("Progressing", "two", False, ANOTHER),
        ("Progressing", "", False, ""),
        ("Succeeded", "one", False, "the canary is Succeeded"),
        ("Failed", "", False, "the canary is Failed"),
        ("Succeeded", "two", False, ANOTHER),
        ("Progressing", "two", True, ""),
        ("Failed", "one", True, "the canary is Failed"),
        ("Failed", "two", True, ""),
        ("Waiting", "one", False, ""),
    ],
)
def test_what_ends_an_earlier_task(phase: str, checksum: str, event: bool, why: str) -> None:
    metadata = EVENT if event else {"cmd": "x"}
    sent = payload(phase, checksum, **metadata)
    assert orders.why_over(sent, payload()) == why
    assert orders.why_over(sent, payload(namespace="prod")) == ""
    assert orders.why_over(sent, payload().model_copy(update={"name": "other"})) == ""


def test_tasks_of_post_rollout_hooks_go_on() -> None:
    assert orders.why_over(payload("Succeeded"), payload("Succeeded")) == ""
    assert orders.why_over(payload("Progressing", "two"), payload("Succeeded")) == ANOTHER
