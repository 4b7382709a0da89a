"""Answers checks and carries out changes: the one place where transitions meet a store.

Knows no Flask, so that the compatible paths (`views`) and the management API (`api`) share it.
"""

import dataclasses
import datetime
import logging
import time
from collections.abc import Callable, Sequence
from typing import Final, TypeVar

import prometheus_client

from . import access, audit, changes, checks, documents, gates, pending, rates, rules, wishes
from .store import base

logger = logging.getLogger(__name__)

T = TypeVar("T")
Listener = Callable[[gates.GateKey, audit.Entry], None]
"""Is told of what was written; has to return at once."""

_NEWCOMERS: Final = 200.0
_NEWCOMERS_PER_SECOND: Final = 2.0
"""Gates that nobody has touched and that are asked in vain: each makes an object in the store, and
whoever reaches the port can invent any number of them."""

_MOST_REMEMBERED: Final = 10_000
_GRACE: Final = datetime.timedelta(minutes=5)


class Counters:
    """What the service counts; no label holds a name from a payload, callers can invent any."""

    def __init__(self, registry: prometheus_client.CollectorRegistry) -> None:
        self.checks = prometheus_client.Counter(
            "flagger_gate_checks",
            "Checks of gates by result: approved, forbidden or unavailable",
            ["gate", "result"],
            registry=registry,
        )
        self.mutations = prometheus_client.Counter(
            "flagger_gate_mutations",
            "Requests to change gates by result: done or unavailable",
            ["gate", "action", "result"],
            registry=registry,
        )
        self.expired = prometheus_client.Counter(
            "flagger_gate_expired",
            "Gates that a check closed because their time was over",
            ["gate"],
            registry=registry,
        )
        self.store_errors = prometheus_client.Counter(
            "flagger_gate_store_errors",
            "Calls of the store that failed",
            registry=registry,
        )


@dataclasses.dataclass(frozen=True, slots=True)
class Rules:
    """What the operator of the service decides about gates."""

    defaults: wishes.Defaults = dataclasses.field(default_factory=wishes.Defaults)
    """How gates are opened when a request does not say it."""
    grace: datetime.timedelta = _GRACE
    """How long an approval of mode `once` is good for the same question again."""
    book: rules.Rulebook = dataclasses.field(default_factory=rules.Rulebook)
    """What some gates ask for beyond being open."""


class Desk:
    """Answers for one store. Times are passed in, UTC."""

    def __init__(
        self,
        store: base.GateStore,
        counters: Counters,
        rules: Rules,
        listeners: Sequence[Listener] = (),
    ) -> None:
        self.store = store
        self._listeners = listeners
        self.rules = rules
        self._counters = counters
        self._unwritten: dict[gates.GateKey, int] = {}
        self._newcomers = rates.Bucket(_NEWCOMERS_PER_SECOND, _NEWCOMERS)

    def check(
        self, key: gates.GateKey, question: checks.Question, now: datetime.datetime
    ) -> checks.Verdict:
        """Answer a check, and write what has to be written before it may pass.

        Most checks cost one read and no write.

        Raises:
            GateError: the store did not answer. The check must be neither approved nor forbidden:
                a closed gate would hide the fault, an open one would let a rollout pass (or, for
                `rollback`, roll one back).
        """
        question = dataclasses.replace(
            question, waits=pending.can_wait(key), unwritten=self._unwritten.get(key, 0)
        )
        rule = self.rules.book.of(key)
        transition = checks.checking(question, now, self.rules.grace, rule)
        try:
            record = self.store.read(key)
            outcome = transition(record)
            if outcome.change is None or (
                record is None and not self._newcomers.take(time.monotonic())
            ):
                self._remember(key, outcome.result)
                verdict = outcome.result
            else:
                verdict = self._written(key, transition, outcome.result)
        except gates.GateError:
            self._counters.checks.labels(kind(key), "unavailable").inc()
            self._counters.store_errors.inc()
            raise
        result = "approved" if verdict.approved else "forbidden"
        self._counters.checks.labels(kind(key), result).inc()
        return verdict

    def _written(
        self,
        key: gates.GateKey,
        transition: changes.Transition[checks.Verdict],
        expected: checks.Verdict,
    ) -> checks.Verdict:
        """Answer after writing; what is refused anyway is refused without, too."""
        try:
            verdict = self.apply(key, transition)
        except gates.GateError as error:
            if expected.approved:
                raise
            self._counters.store_errors.inc()
            logger.warning("a refused check of %s is not remembered: %s", key, error)
            return expected
        self._unwritten.pop(key, None)
        return verdict

    def _remember(self, key: gates.GateKey, verdict: checks.Verdict) -> None:
        """Count a check for the next write about its request."""
        if verdict.approved:
            self._unwritten.pop(key, None)
        elif key in self._unwritten or len(self._unwritten) < _MOST_REMEMBERED:
            self._unwritten[key] = self._unwritten.get(key, 0) + 1

    def opening(
        self,
        key: gates.GateKey,
        wish: changes.Wish,
        by: audit.By,
        now: datetime.datetime,
        precondition: changes.Precondition = changes.anything,
    ) -> changes.Transition[gates.GateRecord]:
        """Return the transition of somebody who wants a gate open.

        Raises:
            RefusedError: several people have to open it, and this one has no name.
        """
        rule = self.rules.book.of(key)
        if rule.approvals > 1 and not by.actor:
            text = f"{rule.approvals} people have to open this gate, each with an identity"
            raise access.RefusedError(401, "unauthorized", text)
        quorum = changes.Quorum(rule.approvals, rule.within)
        return changes.opening(wish, by, now, quorum, precondition)

    def change(
        self, key: gates.GateKey, action: audit.Action, transition: changes.Transition[T]
    ) -> T:
        """Carry out a change that somebody asked for; when this returns it is durable.

        Raises:
            GateError: it is not acknowledged and has to be repeated, which is safe.
            PreconditionError: the gate is not as the caller has seen it.
        """
        try:
            result = self.apply(key, transition, repair=True)
        except gates.GateError:
            self._counters.mutations.labels(kind(key), action, "unavailable").inc()
            self._counters.store_errors.inc()
            raise
        self._counters.mutations.labels(kind(key), action, "done").inc()
        return result

    def document(self, listed: base.Listed, now: datetime.datetime) -> documents.Document:
        """Return a gate as JSON values, with what its rule says about it."""
        return documents.gate(listed, now, self.rules.book.of(listed.key))

    def apply(
        self, key: gates.GateKey, transition: changes.Transition[T], *, repair: bool = False
    ) -> T:
        """Apply a transition and log the entries that were written with it."""
        written: list[audit.Entry] = []

        def watched(record: gates.GateRecord | None) -> changes.Outcome[T]:
            outcome = transition(record)
            written[:] = outcome.change.entries if outcome.change is not None else ()
            return outcome

        result = self.store.update(key, watched, repair=repair)
        for entry in written:
            self._tell(key, entry)
        return result

    def _tell(self, key: gates.GateKey, entry: audit.Entry) -> None:
        if entry.action is audit.Action.EXPIRE:
            self._counters.expired.labels(kind(key)).inc()
        extra = {
            "canary": f"{key.canary}.{key.namespace}",
            "audit": audit.document(key.gate, entry),
        }
        logger.info("audit: %s of %s gate", entry.action, kind(key), extra=extra)
        for listener in self._listeners:
            listener(key, entry)


def kind(key: gates.GateKey) -> str:
    """Return what metrics call a gate."""
    return key.gate if key.gate in (gates.DEFAULT, gates.ROLLBACK) else "named"
