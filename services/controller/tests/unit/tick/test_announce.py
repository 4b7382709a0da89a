"""What goes to whom, in which order, and which phase and checksum events carry."""

import asyncio
from dataclasses import dataclass, field

import pytest

from flagger_controller.api.canary import Canary
from flagger_controller.api.checksum import checksum
from flagger_controller.api.status import CanaryStatus, Phase
from flagger_controller.rollout.decision import Alert, Event, Outcome, Severity
from flagger_controller.tick.announce import DELIVERY, Announcer

from .scene import manifest

BEFORE = CanaryStatus(phase=Phase.INITIALIZED, last_applied_spec="old")
AFTER = CanaryStatus(
    phase=Phase.PROGRESSING, last_applied_spec="new", tracked_configs={"configmap/a": "1"}
)
OLD, NEW = checksum(None, "old"), checksum({"configmap/a": "1"}, "new")


def canary(status: CanaryStatus) -> Canary:
    return Canary.from_api(manifest()).model_copy(update={"status": status})


@dataclass
class Audience:
    """Everybody who listens, with one log."""

    log: list[tuple[object, ...]] = field(default_factory=list)
    seconds: dict[str, float] = field(default_factory=dict)
    """How long an outlet needs for what is queued."""

    async def deliver(self, outlet: str) -> None:
        await asyncio.sleep(self.seconds.get(outlet, 0))
        self.log.append(("delivered", outlet))

    async def settled(self, canary: Canary) -> None:
        await self.deliver("events")

    def record(self, canary: Canary, text: str, *, warning: bool) -> None:
        self.log.append(("event", canary.status.phase, text, warning))

    def outcome(self, canary: Canary, outcome: Outcome) -> None:
        self.log.append(("outcome", canary.status.phase, outcome))

    def show(self, canary: Canary) -> None:
        self.log.append(("show", canary.status.phase))

    def analysed(self, canary: Canary, seconds: float) -> None:
        self.log.append(("analysed", canary.status.phase, seconds))


class Hooks:
    def __init__(self, audience: Audience) -> None:
        self._audience = audience

    async def settled(self, canary: Canary) -> None:
        await self._audience.deliver("hooks")

    def send(self, canary: Canary, event: Event, *, phase: Phase, checksum: str) -> None:
        self._audience.log.append(("hook", event.text, phase, checksum))


class Alerts:
    def __init__(self, audience: Audience) -> None:
        self._audience = audience

    async def settled(self, canary: Canary) -> None:
        await self._audience.deliver("alerts")

    def send(self, canary: Canary, alert: Alert) -> None:
        self._audience.log.append(("alert", canary.status.phase, alert.text))


@pytest.fixture
def audience() -> Audience:
    return Audience()


@pytest.fixture
def announcer(audience: Audience) -> Announcer:
    return Announcer(audience, Hooks(audience), Alerts(audience), audience)


def test_announcements_keep_their_order_and_gauges_come_last(
    audience: Audience, announcer: Announcer
) -> None:
    outcome = Outcome()
    announcer.announce(
        canary(BEFORE),
        canary(AFTER),
        (outcome, Event("a"), Alert("for people", Severity.INFO), Event("b", warning=True)),
    )
    assert audience.log == [
        ("outcome", Phase.PROGRESSING, outcome),
        ("event", Phase.PROGRESSING, "a", False),
        ("hook", "a", Phase.INITIALIZED, OLD),
        ("alert", Phase.PROGRESSING, "for people"),
        ("event", Phase.PROGRESSING, "b", True),
        ("hook", "b", Phase.INITIALIZED, OLD),
        ("show", Phase.PROGRESSING),
    ]


def test_gauges_are_shown_when_there_is_nothing_to_say(
    audience: Audience, announcer: Announcer
) -> None:
    announcer.announce(canary(AFTER), canary(AFTER), ())
    assert audience.log == [("show", Phase.PROGRESSING)]


def test_an_event_carries_the_phase_of_the_decision_and_its_checksum(
    audience: Audience, announcer: Announcer
) -> None:
    announcer.event(canary(BEFORE), canary(AFTER), Event("x"))
    assert audience.log[-1] == ("hook", "x", Phase.INITIALIZED, OLD)


def test_an_event_that_names_the_next_phase_carries_the_next_checksum(
    audience: Audience, announcer: Announcer
) -> None:
    announcer.event(canary(BEFORE), canary(AFTER), Event("x", phase=Phase.PROGRESSING))
    assert audience.log[-1] == ("hook", "x", Phase.PROGRESSING, NEW)


def test_an_event_that_names_a_phase_of_the_past_carries_the_checksum_of_before(
    audience: Audience, announcer: Announcer
) -> None:
    announcer.event(canary(BEFORE), canary(AFTER), Event("x", phase=Phase.PROMOTING))
    assert audience.log[-1] == ("hook", "x", Phase.PROMOTING, OLD)


def test_within_a_phase_the_new_status_counts(audience: Audience, announcer: Announcer) -> None:
    before = canary(AFTER.model_copy(update={"last_applied_spec": "old"}))
    announcer.event(before, canary(AFTER), Event("x"))
    assert audience.log[-1] == ("hook", "x", Phase.PROGRESSING, NEW)


@pytest.mark.parametrize(("error", "level"), [(False, "INFO"), (True, "ERROR")])
def test_events_are_logged_with_their_canary(
    announcer: Announcer, caplog: pytest.LogCaptureFixture, error: bool, level: str
) -> None:
    caplog.set_level("INFO")
    announcer.event(canary(BEFORE), canary(AFTER), Event("x", warning=True, error=error))
    (record,) = caplog.records
    assert (record.levelname, record.message) == (level, "x")
    assert getattr(record, "canary", "") == "cart.shop"
    assert getattr(record, "event_type", "") == "Warning"


def test_the_duration_of_an_analysis(audience: Audience, announcer: Announcer) -> None:
    announcer.analysed(canary(AFTER), 1.5)
    assert audience.log == [("analysed", Phase.PROGRESSING, 1.5)]


@pytest.mark.looptime
async def test_delivery_waits_for_every_outlet(audience: Audience, announcer: Announcer) -> None:
    audience.seconds = {"events": 1, "hooks": 3, "alerts": 2}
    await announcer.delivered(canary(AFTER))
    assert [outlet for _, outlet in audience.log] == ["events", "alerts", "hooks"]
    assert asyncio.get_running_loop().time() == 3


@pytest.mark.looptime
async def test_delivery_does_not_wait_for_ever(audience: Audience, announcer: Announcer) -> None:
    audience.seconds = {"alerts": 1000}
    await announcer.delivered(canary(AFTER))
    assert {outlet for _, outlet in audience.log} == {"events", "hooks"}
    assert asyncio.get_running_loop().time() == DELIVERY
    await asyncio.sleep(2000)
    assert len(audience.log) == 2, "nobody waits in secret"
