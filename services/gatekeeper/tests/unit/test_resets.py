import datetime

import pytest

from flagger_common import payload
from flagger_gatekeeper import audit, gates, resets

NOW = datetime.datetime(2026, 11, 26, 12, 0, tzinfo=datetime.UTC)
Payload = payload.CanaryWebhookPayload


def event(phase: str, message: str | None) -> Payload:
    metadata = {} if message is None else {"eventType": "Normal", "eventMessage": message}
    return Payload(name="podinfo", namespace="test", phase=phase, metadata=metadata)


@pytest.mark.parametrize(
    ("phase", "message", "ends"),
    [
        ("Succeeded", None, True),
        ("Failed", None, True),
        ("Succeeded", "Promotion completed! Scaling down podinfo.test", True),
        ("Failed", "Canary failed! Scaling down podinfo.test", True),
        ("Finalising", "Promotion completed! Scaling down podinfo.test", False),
        ("Succeeded", "Halt podinfo.test advancement waiting for approval start", False),
        ("Failed", "Confirm-rollout check start passed", False),
        ("Progressing", None, False),
        ("", None, False),
    ],
)
def test_the_end_of_a_release(phase: str, message: str | None, ends: bool) -> None:
    assert resets.ends_release(event(phase, message)) is ends


@pytest.mark.parametrize("every", [True, False])
@pytest.mark.parametrize("flag", [True, False])
@pytest.mark.parametrize("state", list(gates.State))
@pytest.mark.parametrize("gate", ["default", "rollback", "start"])
def test_which_gates_are_closed(gate: str, state: gates.State, flag: bool, every: bool) -> None:
    record = gates.GateRecord(state, NOW, NOW, 4, auto_reset=flag, reason="release 7")
    key = gates.GateKey("test", "podinfo", gate)
    outcome = resets.resetting(key, audit.By("9"), NOW, every=every)(record)
    expected = state is gates.State.OPEN and (flag or (every and gate != "start"))
    assert outcome.result is expected
    if not expected:
        assert outcome.change is None
        return
    assert outcome.change is not None
    closed = outcome.change.record
    assert closed is not None
    assert (closed.state, closed.version, closed.auto_reset) == (gates.State.CLOSED, 5, flag)
    (entry,) = outcome.change.entries
    assert (entry.action, entry.before, entry.after) == ("reset", "open", "closed")


def test_approvals_are_for_one_release() -> None:
    given = gates.Approval("anna", NOW, "once")
    record = gates.GateRecord(gates.State.CLOSED, NOW, NOW, 4, auto_reset=True, approvals=(given,))
    key = gates.GateKey("test", "podinfo", "start")
    outcome = resets.resetting(key, audit.By("9"), NOW, every=False)(record)
    assert outcome.change is not None
    assert outcome.change.record is not None
    assert outcome.change.record.approvals == ()


def test_a_gate_that_is_gone_stays_so() -> None:
    key = gates.GateKey("test", "podinfo")
    outcome = resets.resetting(key, audit.By("9"), NOW, every=True)(None)
    assert (outcome.result, outcome.change) == (False, None)
