"""One canary, its users, and everything that can go wrong: the rules of the stateful tests.

After every step what must always hold is checked by the monitor; what needs a tick of the
controller to hold is checked whenever there was one without trouble. `HYPOTHESIS_PROFILE=nightly`
looks further, and elsewhere every time.

Hypothesis repeats what it has found with small changes once it has ten examples: several small
samples see more than a large one.
"""

import os
from collections.abc import Callable, Coroutine
from typing import Any, cast

import looptime
from hypothesis import HealthCheck, seed, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from flagger_controller.api.status import Phase
from flagger_controller.cluster import resources
from flagger_controller.cluster.client import ApiConflict, ApiUnavailable, Object
from flagger_controller.cluster.fake import Killed, Write
from flagger_controller.rollout.case import SETTLED
from flagger_controller.rollout.evidence import Answer, Measured, Unmeasured
from flagger_controller.targets import target_for
from flagger_controller.targets.base import TargetSettings

from . import kubelet
from .invariants import blocked, check_ends, check_now
from .monitor import Monitor, mark
from .rig import CANARY, Rig, canary
from .targets import KINDS, scalers

settings.register_profile(
    "ci",
    max_examples=10,
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
    max_examples=1000,
    stateful_step_count=60,
    print_blob=True,
)
PROFILE = settings.get_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci"))

GATES = (
    *("confirm-rollout", "pre-rollout", "rollout", "confirm-traffic-increase"),
    *("confirm-promotion", "rollback"),
)
TAGS = ("1", "2", "3", "broken", "dies-in-primary")
REPLICATED = (resources.DEPLOYMENTS, resources.STATEFUL_SETS)
OPEN, CLOSED = Answer(ok=True), Answer(ok=False, error="Forbidden")
ERRORS: dict[str, Callable[[], BaseException]] = {
    "kill": Killed,
    "conflict": lambda: ApiConflict(409, "Conflict", "injected"),
    "unavailable": lambda: ApiUnavailable(503, "Unavailable", "injected"),
}


def play(machine: type["Machine"], kind: str) -> None:
    """Random games with a kind of target, the same ones each time unless the profile is random."""

    def begin() -> Machine:
        return machine(kind)

    sample = seed(kind)(begin) if PROFILE.derandomize else begin
    # A function will do as well, says its documentation, but not its signature.
    run_state_machine_as_test(cast("type[Machine]", sample), settings=PROFILE)


class Machine(RuleBasedStateMachine):
    """What can happen to any canary; subclasses say which specs it gets."""

    def __init__(self, kind: str) -> None:
        super().__init__()
        self.kind = kind
        self.loop = looptime.new_event_loop()
        self.rig = Rig(broken=("broken", "primary-dies-in-primary"), kind=kind)
        self.monitor = Monitor(self.rig)
        self.calm = False
        """The last thing that happened was a tick, and it had no trouble."""
        self.faulty = False
        """A write has failed, so announcements may have been repeated."""
        self.suspended = False

    def do(self, work: Coroutine[Any, Any, None]) -> None:
        self.loop.run_until_complete(work)

    def act(self, action: Callable[[], Any]) -> None:
        """Something that happens to the cluster, inside the loop as it needs its clock."""

        async def work() -> None:
            action()

        self.calm = False
        self.do(work())

    def rest(self) -> None:
        """Let an interval go by, with a tick at its end."""
        deaths, said = self.rig.deaths, len(self.rig.log.events)
        self.do(self.rig.pass_interval())
        errors = any(text.startswith("error") for text in self.rig.log.events[said:])
        paused = self.rig.api.faults.paused
        self.calm = not (errors or paused or self.rig.deaths != deaths)

    # Users

    def create(self, spec: Object) -> None:
        """Target and Canary."""

        def create() -> None:
            self.rig.hooks.answers["rollback"] = CLOSED
            self.rig.api.put(self.rig.target, KINDS[self.kind].made("1"))
            for ref, body in scalers().items():
                self.rig.api.put(ref, body)
            self.rig.api.put(CANARY, {**canary(), "spec": spec})

        self.act(create)

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

    @rule()
    def suspend_or_resume(self) -> None:
        self.suspended = not self.suspended
        self.respec()

    def respec(self, spec: Object | None = None) -> None:
        """Replace the spec, or only say anew whether it is suspended."""
        body = self.rig.found(CANARY)
        wanted = {**(spec or body["spec"]), "suspend": self.suspended}
        self.act(lambda: self.rig.api.put(CANARY, {**body, "spec": wanted}))

    @rule(replicas=st.integers(0, 2))
    @precondition(lambda self: self.rig.target.resource in REPLICATED)
    def scale(self, replicas: int) -> None:
        body = self.rig.found(self.rig.target)
        scaled = {**body, "spec": {**body["spec"], "replicas": replicas}}
        self.act(lambda: self.rig.api.put(self.rig.target, scaled))

    @rule()
    def mark(self) -> None:
        """Somebody puts something of his own on every object."""
        of_services = self.rig.target.resource == resources.SERVICES
        self.act(lambda: mark(self.rig, [resources.SERVICES] if of_services else []))

    # Accidents

    @rule()
    def restart(self) -> None:
        self.calm = False
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
        self.calm, self.faulty = False, True

    @rule()
    def hold_up_or_resume_rollouts(self) -> None:
        def turn() -> None:
            self.rig.behind = not self.rig.behind

        self.act(turn)

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
        self.calm = False
        self.do(self.rig.step())

    @rule(intervals=st.integers(1, 4))
    def wait(self, intervals: int) -> None:
        for _ in range(intervals):
            self.rest()

    @rule()
    def idle(self) -> None:
        """Between runs a tick that has nothing to do does nothing."""
        self.rest()
        status = self.rig.status
        if self.calm and status.phase in SETTLED and not status.run.unannounced:
            self.rest()
            writes, reads = len(self.rig.api.writes), self.rig.api.reads.copy()
            phase = self.rig.status.phase
            if self.calm and phase in SETTLED and not self.can_start():
                self.rest()
                asked = {key for key in self.rig.api.reads - reads if key[0] != "watch"}
                assert len(self.rig.api.writes) == writes, "I8"
                assert blocked(self.rig.status) or not asked, f"I8: {asked}"

    @invariant()
    def holds(self) -> None:
        if self.calm:
            self.do(self.checked())

    async def checked(self) -> None:
        check_now(self.rig)

    def can_start(self) -> bool:
        """The target has a revision that is not the one the status is about."""
        if blocked(self.rig.status):
            return False
        body = self.rig.found(self.rig.target)
        kind = target_for(self.rig.canary, TargetSettings())
        return kind.revision(body) != self.rig.status.last_applied_spec

    # The end

    def teardown(self) -> None:
        try:
            if self.rig.api.object(CANARY) is not None:
                self.end()
        finally:
            self.do(self.rig.stop())
            self.loop.close()

    def end(self) -> None:
        """All is well again, and somebody releases a good revision."""
        self.act(self.rig.api.resume_watches)
        self.rig.behind = False
        self.rig.hooks.answers = {"rollback": CLOSED}
        self.rig.judge.values[0] = Measured(100.0)
        self.suspended = False
        self.respec()
        self.push("final")
        for _ in range(60):
            self.rest()
            if self.arrived():
                break
        else:
            said = self.rig.log.events[-12:]
            raise AssertionError(f"I4: ends as {self.rig.status!r}: {said}")
        self.rest()
        self.do(self.checked())
        target = self.rig.found(self.rig.target)
        assert self.rig.target.resource not in kubelet.WORKLOADS or not kubelet.wanted(target)
        status = self.rig.status
        assert status.last_promoted_spec == status.last_applied_spec
        if not self.faulty:
            check_ends(self.rig, self.monitor.noted.ends)

    def arrived(self) -> bool:
        status = self.rig.status
        over = status.phase in (Phase.SUCCEEDED, Phase.INITIALIZED) and not status.run.unannounced
        return over and self.rig.production == "final"
