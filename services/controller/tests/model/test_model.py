"""Random releases against everything that can go wrong, with the invariants after every tick.

Users push revisions, good and bad, change their minds and their specs, gates open and close;
controllers die, writes fail, watches fall silent. At the end everything is healed and a good
revision is pushed: it must get into production, as it would in a fresh installation.

`HYPOTHESIS_PROFILE=nightly` looks further, and elsewhere every time.
"""

import os
from collections.abc import Callable, Coroutine
from datetime import datetime
from typing import Any

import looptime
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from flagger_controller.api.status import CanaryStatus, Obligation, Phase
from flagger_controller.cluster.client import ApiConflict, ApiUnavailable
from flagger_controller.cluster.fake import Killed, Write
from flagger_controller.rollout.case import SETTLED
from flagger_controller.rollout.evidence import Answer, Measured, Unmeasured
from flagger_controller.targets.revision import digest

from .invariants import check_now
from .process import INTERVAL
from .rig import CANARY, PRIMARY, TARGET, Rig, canary
from .targets import deployment

settings.register_profile(
    "ci",
    max_examples=60,
    stateful_step_count=25,
    derandomize=True,
    deadline=None,
    database=None,
    suppress_health_check=list(HealthCheck),
)
settings.register_profile(
    "nightly",
    settings.get_profile("ci"),
    derandomize=False,
    max_examples=3000,
    stateful_step_count=60,
    print_blob=True,
)
PROFILE = settings.get_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci"))

GATES = (
    *("confirm-rollout", "pre-rollout", "rollout", "confirm-traffic-increase"),
    *("confirm-promotion", "rollback"),
)
COMMON: dict[str, Any] = {
    "interval": "10s",
    "threshold": 2,
    "metrics": [{"name": "errors", "query": "q", "thresholdRange": {"max": 200}}],
    "webhooks": [{"name": kind, "type": kind, "url": "http://hooks/"} for kind in GATES],
}
SPECS: dict[str, dict[str, Any]] = {
    "weights": {"analysis": {**COMMON, "stepWeight": 30, "maxWeight": 60}},
    "list": {"analysis": {**COMMON, "stepWeights": [5, 40, 80], "stepWeightPromotion": 50}},
    "blue/green": {"analysis": {**COMMON, "iterations": 2}},
    "kubernetes": {"analysis": {**COMMON, "iterations": 1}, "provider": "kubernetes"},
    "skip": {"analysis": {**COMMON, "stepWeight": 50}, "skipAnalysis": True},
}
TAGS = ("1", "2", "3", "broken", "dies-in-primary")
OPEN, CLOSED = Answer(ok=True), Answer(ok=False, error="Forbidden")
ERRORS: dict[str, Callable[[], BaseException]] = {
    "kill": Killed,
    "conflict": lambda: ApiConflict(409, "Conflict", "injected"),
    "unavailable": lambda: ApiUnavailable(503, "Unavailable", "injected"),
}


class Monitor:
    """Watches every write, also in the middle of a tick: I1, I3, I5."""

    def __init__(self, rig: Rig) -> None:
        self._rig = rig
        self._status = CanaryStatus()
        self._tag = ""
        self._advanced: datetime | None = None
        rig.api.after_write(self.look)

    def look(self, write: Write) -> None:
        if write.ref == CANARY:
            before, self._status = self._status, self._rig.status
            self._check_advance(before, self._status)
        if write.ref == PRIMARY:
            before_tag, self._tag = self._tag, self._rig.tag(PRIMARY)
            if before_tag and self._tag != before_tag:
                self._check_promotion()

    def _check_advance(self, before: CanaryStatus, after: CanaryStatus) -> None:
        assert after.route.primary + after.route.canary == 100, "I1"
        moved = (
            after.route.canary > before.route.canary
            or after.iterations > before.iterations
            or after.failed_checks > before.failed_checks
            or (after.phase is Phase.PROMOTING and before.phase is not Phase.PROMOTING)
        )
        if not moved or after.run.promotion_failed or after.run.obligation:
            return
        now = self._rig.now()
        if self._advanced is not None:
            passed = (now - self._advanced).total_seconds()
            assert passed >= INTERVAL - 0.01, f"I5: {passed} s after the last advance"
        self._advanced = now

    def _check_promotion(self) -> None:
        status = self._rig.status
        skips = status.run.obligation is Obligation.SKIP
        assert status.phase is Phase.PROMOTING or skips, f"I3: promoted in {status.phase}"
        template = deployment(self._tag)["spec"]["template"]
        assert digest(template) == status.last_applied_spec, "I3: not what was analysed"


class Releases(RuleBasedStateMachine):
    """One canary and its users."""

    def __init__(self) -> None:
        super().__init__()
        self.loop = looptime.new_event_loop()
        self.rig = Rig(broken=("broken", "primary-dies-in-primary"))
        self.monitor = Monitor(self.rig)
        self.disturbed = True
        self.suspended = False

    def do(self, work: Coroutine[Any, Any, None]) -> None:
        self.loop.run_until_complete(work)

    def act(self, action: Callable[[], Any]) -> None:
        """Something that happens to the cluster, inside the loop as it needs its clock."""

        async def work() -> None:
            action()

        self.disturbed = True
        self.do(work())

    # Users

    @initialize(spec=st.sampled_from(sorted(SPECS)))
    def install(self, spec: str) -> None:
        def create() -> None:
            self.rig.hooks.answers["rollback"] = CLOSED
            self.rig.api.put(TARGET, deployment())
            self.rig.api.put(CANARY, canary(**SPECS[spec]))

        self.act(create)
        for _ in range(3):
            self.do(self.rig.pass_interval())

    @rule(tag=st.sampled_from(TAGS))
    def push(self, tag: str) -> None:
        self.act(lambda: self.rig.push(tag))

    @rule(name=st.sampled_from(GATES), opened=st.booleans())
    def turn_gate(self, name: str, opened: bool) -> None:
        self.act(lambda: self.rig.hooks.answers.update({name: OPEN if opened else CLOSED}))

    @rule(good=st.booleans())
    def measure(self, good: bool) -> None:
        value = Measured(100.0) if good else Unmeasured("no values")
        self.act(lambda: self.rig.judge.values.update({0: value}))

    @rule(spec=st.sampled_from(sorted(SPECS)))
    def change_spec(self, spec: str) -> None:
        self.act(lambda: self.respec(**SPECS[spec]))

    @rule()
    def suspend_or_resume(self) -> None:
        self.suspended = not self.suspended
        self.act(lambda: self.respec())

    def respec(self, **changes: Any) -> None:
        body = self.rig.api.object(CANARY)
        assert body is not None
        kept = {key: body["spec"].get(key) for key in ("provider", "analysis", "skipAnalysis")}
        wanted = canary(**(changes or {k: v for k, v in kept.items() if v is not None}))
        spec = {**wanted["spec"], "suspend": self.suspended}
        self.rig.api.put(CANARY, {**body, "spec": spec})

    @rule(replicas=st.integers(0, 2))
    def scale(self, replicas: int) -> None:
        def write() -> None:
            body = self.rig.api.object(TARGET)
            assert body is not None
            body["spec"]["replicas"] = replicas
            self.rig.api.put(TARGET, body)

        self.act(write)

    # Accidents

    @rule()
    def restart(self) -> None:
        self.disturbed = True
        self.do(self.rig.stop())

    @rule(
        kind=st.sampled_from(sorted(ERRORS)),
        after=st.booleans(),
        skipped=st.integers(0, 3),
    )
    def break_a_write(self, kind: str, after: bool, skipped: int) -> None:
        left = [skipped]

        def fail(write: Write) -> None:
            left[0] -= 1
            if left[0] < 0:
                remove()
                raise ERRORS[kind]()

        hook = self.rig.api.after_write if after else self.rig.api.before_write
        remove = hook(fail)
        self.disturbed = True

    @rule()
    def silence_watches(self) -> None:
        self.act(self.rig.api.pause_watches)

    @rule()
    def revive_watches(self) -> None:
        self.act(self.rig.api.resume_watches)

    @rule()
    def cut_watches(self) -> None:
        self.act(self.rig.api.break_watches)

    # Time

    @rule()
    def wake(self) -> None:
        """The watch wakes the canary before its time."""
        self.do(self.rig.step())

    @rule(intervals=st.integers(1, 4))
    def wait(self, intervals: int) -> None:
        for _ in range(intervals):
            self.do(self.rig.pass_interval())

    @rule()
    @precondition(lambda self: not self.suspended and not self.rig.api.faults.paused)
    def look(self) -> None:
        """Two ticks without trouble: invariants hold; between runs the second does nothing."""
        errors, deaths = self.rig.log.events.count("error"), self.rig.deaths
        self.do(self.rig.pass_interval())
        self.do(self.rig.step())
        texts = self.rig.log.events
        troubled = self.rig.deaths != deaths or any(text.startswith("error") for text in texts[-9:])
        if troubled or errors:
            return
        self.do(self.checked())
        writes = len(self.rig.api.writes)
        status = self.rig.status
        if status.phase in SETTLED and not status.run.unannounced and not self.can_start():
            self.do(self.rig.pass_interval())
            assert len(self.rig.api.writes) == writes, "I8"

    async def checked(self) -> None:
        check_now(self.rig)

    def can_start(self) -> bool:
        """The target has a revision that is not the one the status is about."""
        body = self.rig.api.object(TARGET)
        assert body is not None
        return digest(body["spec"]["template"]) != self.rig.status.last_applied_spec

    # The end

    def teardown(self) -> None:
        try:
            self.do(self.end())
        finally:
            self.do(self.rig.stop())
            self.loop.close()

    async def end(self) -> None:
        """All is well again, and somebody releases a good revision."""
        rig = self.rig
        if rig.api.object(CANARY) is None:
            return
        rig.api.resume_watches()
        rig.hooks.answers = {"rollback": CLOSED}
        rig.judge.values[0] = Measured(100.0)
        self.suspended = False
        self.respec()
        rig.push("final")
        for _ in range(60):
            await rig.pass_interval()
            if rig.status.phase in (Phase.SUCCEEDED, Phase.INITIALIZED) and self.arrived():
                break
        else:
            raise AssertionError(f"I4: ends as {rig.status!r}: {rig.log.events[-12:]}")
        await rig.pass_interval()
        check_now(rig)
        assert rig.replicas(TARGET) == 0
        assert rig.status.last_promoted_spec == rig.status.last_applied_spec

    def arrived(self) -> bool:
        return self.rig.tag(PRIMARY) == "final" and not self.rig.status.run.unannounced


TestReleases = Releases.TestCase
TestReleases.settings = PROFILE
