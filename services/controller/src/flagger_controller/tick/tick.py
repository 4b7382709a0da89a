"""One tick of one canary: the order of the steps (architecture 2.1), nothing else.

Killed anywhere, nothing is lost: before the commit the tick never happened, after it the next
converge finishes what was decided.
"""

import logging
import random
import string
import time
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Final

from flagger_controller.api.base import Object
from flagger_controller.api.canary import Canary
from flagger_controller.api.status import Obligation
from flagger_controller.cluster.client import ApiError, ApiUnavailable
from flagger_controller.cluster.failures import Kind
from flagger_controller.errors import ConfigError, FlaggerError, Gone, Retriable
from flagger_controller.rollout import rules
from flagger_controller.rollout import step as engine
from flagger_controller.rollout.case import ANALYSING, Case
from flagger_controller.rollout.decision import Decision, Need
from flagger_controller.rollout.evidence import Evidence, Seen
from flagger_controller.tick.commit import FINALIZER, named
from flagger_controller.tick.herald import Herald
from flagger_controller.tick.observe import Problem, judged
from flagger_controller.tick.pace import RESYNC, Pace
from flagger_controller.tick.plan import Plan
from flagger_controller.tick.seen import seen
from flagger_controller.tick.shell import Memory, Shell
from flagger_controller.tick.world import World

logger = logging.getLogger(__name__)

SOON: Final = 0.5
"""Seconds until a converge that failed after a commit is done again."""
WALKS: Final = 6
"""Decisions in one tick; a terminal transition takes three."""
UNANSWERED: Final = {Kind.TIMEOUT, Kind.UNREACHABLE}
"""After these a write may be under way; other failures are answers."""
QUESTIONS: Final = 200
"""Checks in one walk; a canary has one for each hook and metric."""


@dataclass
class Tick:
    """One canary's ticks; never two at once."""

    key: str
    shell: Shell
    memory: Memory

    @property
    def _herald(self) -> Herald:
        return Herald(self.shell.announcer, self.memory)

    async def run(self) -> float | None:
        """One tick.

        Returns:
            Seconds until the next one is due; None when the canary is gone.

        Raises:
            FlaggerError: the cluster or the cache cannot be used right now; try again soon.
        """
        found = self.shell.store.get(self.key)
        if found is None:
            return None
        canary, stored = found
        if canary.metadata.uid == self.memory.released:
            return None
        self._herald.make_good(canary)
        started = self.shell.clock()
        due = self._pace(canary).due_at <= started
        self.memory.unsettled = False
        try:
            canary, stored = await self._hold(canary, stored)
            idle = await self._walk(canary, stored, due=due)
        except Retriable as error:
            self._unanswered(error)
            self._herald.outage(canary, error)
            raise
        except Gone as error:
            logger.info("%s", error, extra={"canary": self.key})
            return None if self.shell.store.get(self.key) is None else RESYNC
        except (ApiError, ConfigError) as error:
            if isinstance(error, ApiError) and error.kind is Kind.TERMINATING:
                logger.info("%s", error, extra={"canary": self.key})
                return RESYNC
            self._tell(str(error))
            raise
        finally:
            self._note_overrun(canary, self.shell.clock() - started)
        if not self.memory.unsettled:
            self.memory.told = ""
            self.memory.outages = 0
        return self._seconds_left(idle=idle)

    async def _hold(self, canary: Canary, stored: Object) -> tuple[Canary, Object]:
        """Our finalizer is on a Canary that is to be reverted, and on no other."""
        held = FINALIZER in canary.metadata.finalizers
        wanted = canary.spec.revert_on_deletion
        committer = self.shell.committer
        if held and not wanted:
            logger.info("%s opting out, deleting finalizers", self.key, extra={"canary": self.key})
            return self.shell.store.put(await committer.release(canary, stored))
        if wanted and not held and canary.metadata.deletion_timestamp is None:
            return self.shell.store.put(await committer.hold(canary, stored))
        return canary, stored

    async def _walk(self, canary: Canary, stored: Object, *, due: bool) -> bool:
        """Decide until nothing is left to do; was there nothing to do at all?

        After a commit there is always another look: what came while it was under way is news.
        """
        started = time.monotonic()
        for _ in range(WALKS):
            world, planned = await self._look(canary, due=due)
            due = due and not self._belated(canary, world)
            canary, decision = await self._decide(canary, world, planned, due=due)
            if _promotes(canary, decision) and not await self._still(world):
                continue
            if decision.release and self.memory.in_flight(self.shell.clock()):
                self.memory.unsettled = True  # nobody would revert what comes after the release
                return False
            after, stored = await self._carry_out(canary, stored, world, decision)
            if decision.measured:
                self.shell.announcer.analysed(after, time.monotonic() - started)
            if decision.ticked:
                self.memory.ticked = self.shell.clock()
            if decision.release:
                # Nobody would know any more that its end is to be told.
                await self.shell.announcer.delivered(after)
                await self.shell.committer.release(after, stored)
                self.memory.released = after.metadata.uid
                return False
            if not (decision.again or after.status.run.unannounced):
                return due and not decision.ticked and after.status == canary.status
            canary = after
        raise FlaggerError(f"{self.key}: more than {WALKS} decisions in one tick")

    async def _still(self, world: World | Problem) -> bool:
        """Is the revision that is to be promoted the one that its owner wants?"""
        return isinstance(world, Problem) or await self.shell.observer.unchanged(world)

    async def _look(self, canary: Canary, *, due: bool) -> tuple[World | Problem, Plan]:
        """Observe and converge; what cannot be served is a problem, not an error."""
        rival = self.shell.store.rival(canary)
        if rival:
            return Problem(_same_target(canary, rival)), Plan()
        world = await self.shell.observer.observe(canary, due=due)
        if isinstance(world, Problem):
            await self.shell.converger.write(canary, world.writes)
            return world, Plan()
        try:
            return await self._converge(world)
        except ConfigError as error:
            return Problem(str(error)), Plan()

    async def _converge(self, world: World) -> tuple[World, Plan]:
        after, planned = await self.shell.converger.converge(world)
        if after.live[world.target_ref] is not world.live[world.target_ref]:
            self.memory.scaled_up(world.canary.status.run, self.shell.clock())
        return after, planned

    def _belated(self, canary: Canary, world: World | Problem) -> bool:
        """Did the last process die before its route was written?

        Then clients reach the canary only now, and the next check has to wait an interval.
        """
        fresh, self.memory.fresh = self.memory.fresh, False
        if not fresh or isinstance(world, Problem) or canary.status.phase not in ANALYSING:
            return False
        if not world.rerouted:
            return False
        self.memory.ticked = self.shell.clock()
        return True

    async def _decide(
        self, canary: Canary, world: World | Problem, planned: Plan, *, due: bool
    ) -> tuple[Canary, Decision]:
        """Walk the rules, fetching evidence on the way."""
        evidence, found = Evidence(), seen(canary, world, planned, self.shell.observer)
        for _ in range(QUESTIONS):
            case = self._case(canary, world, found, evidence, due=due)
            outcome = engine.step(case)
            if not isinstance(outcome, Need):
                self._log(canary, outcome)
                return canary, outcome
            checks = (outcome.check, *outcome.beside)
            results = await self.shell.gatherer.gather_all(canary, checks)
            for check, result in zip(checks, results, strict=True):
                evidence = evidence.having(check, result)
        raise FlaggerError(f"{canary.key}: more than {QUESTIONS} checks in one tick")

    def _case(
        self, canary: Canary, world: World | Problem, found: Seen, evidence: Evidence, *, due: bool
    ) -> Case:
        provider = canary.spec.provider if isinstance(world, Problem) else world.parts.provider
        return Case(
            canary=canary,
            seen=found,
            evidence=evidence,
            now=self.shell.clock(),
            due=due,
            provider=provider,
            announced=self.memory.announced == canary.status.run.ticked_at != "",
            entropy="".join(random.choices(string.ascii_letters, k=20)),  # noqa: S311 (no secret)
        )

    async def _carry_out(
        self, canary: Canary, stored: Object, world: World | Problem, decision: Decision
    ) -> tuple[Canary, Object]:
        """Commit, converge towards the new status, announce; or announce first."""
        await self._herald.before(canary, decision)
        after = canary
        if decision.status != canary.status:
            status = decision.status
            if not isinstance(world, Problem):
                status = named(canary.status, status, world.revision.spec, lambda: world.upstream)
            after, stored = await self._commit(canary, stored, replace(decision, status=status))
            if not isinstance(world, Problem):
                moved = judged(replace(world, canary=after, due=False), self.shell.clock)
                await self._follow(moved)
        self._herald.after(canary, after, decision)
        return after, stored

    async def _commit(
        self, canary: Canary, stored: Object, decision: Decision
    ) -> tuple[Canary, Object]:
        try:
            body = await self.shell.committer.commit(canary, stored, decision.status)
        except ApiUnavailable:
            self._herald.doubt(canary, decision)
            raise
        self.memory.doubt = None
        return self.shell.store.put(body)

    async def _follow(self, world: World) -> None:
        """Converge after a commit. A failure is told, and made good by the next converge."""
        try:
            await self._converge(world)
        except FlaggerError as error:
            self.memory.unsettled = True
            self._unanswered(error)
            retried = isinstance(error, Retriable)
            level = logging.INFO if retried else logging.WARNING
            extra = {**error.fields, "canary": self.key}
            logger.log(logging.DEBUG if error.quiet else level, "%s", error, extra=extra)
            if not (retried or error.quiet):
                self._tell(str(error))

    def _unanswered(self, error: FlaggerError) -> None:
        if isinstance(error, ApiError) and error.kind in UNANSWERED:
            self.memory.unanswered = self.shell.clock()

    def _tell(self, text: str) -> None:
        if found := self.shell.store.get(self.key):
            self._herald.problem(found[0], text)

    def _note_overrun(self, canary: Canary, took: timedelta) -> None:
        """Slow hooks and metric sources stretch the interval, each within its own limit (S34)."""
        interval = self._pace(canary).interval
        if took > interval:
            logger.warning(
                "the tick took %.0f s, longer than its interval of %.0f s: "
                "look for slow hooks and metric sources",
                took.total_seconds(),
                interval.total_seconds(),
                extra={"canary": self.key},
            )

    def _seconds_left(self, *, idle: bool) -> float | None:
        found = self.shell.store.get(self.key)
        if found is None:
            return None
        if self.memory.unsettled:
            return SOON
        return self._pace(found[0]).seconds_left(self.shell.clock(), idle=idle)

    def _pace(self, canary: Canary) -> Pace:
        return Pace(canary, self.shell.interval_floor, self.memory.ticked)

    def _log(self, canary: Canary, decision: Decision) -> None:
        if decision.rule == rules.not_due.__name__:
            return  # nothing was found to react to; nobody wants to read of that
        logger.debug(
            "decided: %s (%s)", decision.rule, decision.reason, extra={"canary": canary.key}
        )


def _promotes(canary: Canary, decision: Decision) -> bool:
    owed, before = decision.status.run.obligation, canary.status.run.obligation
    return owed is not before and owed in {Obligation.PROMOTE, Obligation.SKIP}


def _same_target(canary: Canary, rival: str) -> str:
    return (
        f"spec.targetRef: {canary.spec.target_ref.kind} {canary.target}.{canary.namespace} is "
        f"already under the Canary {rival}; delete one of the two or give it another target"
    )
