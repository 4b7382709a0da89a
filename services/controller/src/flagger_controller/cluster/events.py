"""Kubernetes Events about an object, written beside the caller's path (spec/telemetry.md 5.1).

The same text about the same object again raises the count of the Event that is there. Writes
about one object keep their order; they are retried when the API server is unavailable, logged
when they fail for good, and never raised to the caller. Unlike upstream's recorder, nothing is
dropped in a burst.
"""

import asyncio
import contextlib
import logging
import random
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from flagger_controller import urgency
from flagger_controller.cluster.client import (
    ApiConflict,
    ApiError,
    ApiNotFound,
    Fenced,
    KubeClient,
    Object,
    Ref,
)
from flagger_controller.cluster.failures import Kind
from flagger_controller.cluster.resources import EVENTS
from flagger_controller.errors import Retriable

logger = logging.getLogger(__name__)

COMPONENT: Final = "flagger"
REASON: Final = "Synced"


@dataclass(frozen=True)
class Subject:
    """The object that Events are about."""

    ref: Ref
    uid: str
    resource_version: str = ""

    @classmethod
    def of(cls, ref: Ref, body: Object) -> "Subject":
        """Subject from a live object."""
        meta = body["metadata"]
        return cls(ref, meta.get("uid", ""), meta.get("resourceVersion", ""))


@dataclass(frozen=True)
class EventSettings:
    """Limits and timings of the recorder."""

    attempts: int = 12
    """How often a write is tried while the API server is unavailable: for about four minutes."""
    pause: float = 1.0
    """Seconds between the first two attempts; doubled each time, plus up to as much at random."""
    pause_most: float = 20.0
    parallel: int = 4
    """Objects whose Events are written at the same time."""
    pending: int = 1000
    """Different texts about one object that may wait; the oldest is given up for a new one."""
    remembered: int = 8192
    """Events whose count can still be raised; about 300 bytes each."""


@dataclass(frozen=True)
class _Key:
    ref: Ref
    uid: str
    warning: bool
    text: str


@dataclass
class _Waiting:
    """A text to be written, perhaps several times."""

    subject: Subject
    first: datetime
    last: datetime
    count: int = 1
    name: str = ""
    """Chosen once, so that a creation whose answer was lost is not done twice."""


@dataclass(frozen=True)
class _Written:
    """An Event in the cluster."""

    ref: Ref
    count: int


@dataclass
class _Queue:
    """What is to be written about one object, in order."""

    waiting: OrderedDict[_Key, _Waiting] = field(default_factory=OrderedDict)
    task: asyncio.Task[None] | None = None


class EventRecorder:
    """Writes Events. Use it inside a running event loop and `close` it."""

    def __init__(
        self,
        client: KubeClient,
        *,
        now: Callable[[], datetime],
        settings: EventSettings | None = None,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self._client = client
        self._now = now
        self._settings = settings or EventSettings()
        self._queues: dict[tuple[Ref, str], _Queue] = {}
        self._written: OrderedDict[_Key, _Written] = OrderedDict()
        self._slots = asyncio.Semaphore(self._settings.parallel)
        self._last_name = 0
        self._jitter = jitter
        self._refused: dict[str, Kind] = {}
        """Why the last event about a namespace was lost."""

    @property
    def waiting(self) -> int:
        """Events that are not written."""
        return sum(len(queue.waiting) for queue in self._queues.values())

    def record(self, subject: Subject, text: str, *, warning: bool = False) -> None:
        """Write an Event soon; returns at once and never fails."""
        key = _Key(subject.ref, subject.uid, warning, text)
        queue = self._queues.setdefault((subject.ref, subject.uid), _Queue())
        now = self._now()
        if (same := queue.waiting.get(key)) is not None:
            same.count += 1
            same.last = now
        else:
            if len(queue.waiting) >= self._settings.pending:
                lost, _ = queue.waiting.popitem(last=False)
                logger.error("event about %s is lost, too many wait: %s", lost.ref, lost.text)
            queue.waiting[key] = _Waiting(subject, now, now)
        if queue.task is None:
            name = f"events of {subject.ref}"
            queue.task = asyncio.create_task(self._drain(queue, key), name=name)

    async def settled(self, ref: Ref, uid: str) -> None:
        """Wait until everything recorded about one object is written or given up."""
        queue = self._queues.get((ref, uid))
        if queue is not None and queue.task is not None:
            await asyncio.wait({queue.task})

    async def flush(self) -> None:
        """Wait until everything recorded so far is written or given up."""
        while tasks := [queue.task for queue in self._queues.values() if queue.task]:
            await asyncio.gather(*tasks)

    async def close(self, seconds: float = 5.0) -> None:
        """Write what waits, within some seconds, and stop."""
        tasks = [queue.task for queue in self._queues.values() if queue.task]
        if not tasks:
            return
        _, late = await asyncio.wait(tasks, timeout=seconds)
        for task in late:
            task.cancel()
        await asyncio.gather(*late, return_exceptions=True)
        if late:
            logger.error("events about %d objects are lost at shutdown", len(late))

    async def _drain(self, queue: _Queue, start: _Key) -> None:
        told_of = urgency.asked()  # whose tick began this: that of the object itself
        urgency.follow(lambda: told_of().news)
        try:
            while queue.waiting:
                async with self._slots:
                    key, waiting = queue.waiting.popitem(last=False)
                    await self._write_out(key, waiting)
        finally:
            del self._queues[start.ref, start.uid]

    async def _write_out(self, key: _Key, waiting: _Waiting) -> None:
        """Write until it works, or until there is no hope."""
        pause = self._settings.pause
        for attempt in range(1, self._settings.attempts + 1):
            try:
                await self._write(key, waiting)
                self._refused.pop(key.ref.namespace, None)
                return
            except Fenced:
                logger.warning("event about %s is left to the new leader: %s", key.ref, key.text)
                return
            except ApiError as error:
                if attempt == self._settings.attempts or not isinstance(error, Retriable):
                    self._lose(key, error)
                    return
                after = error.retry_after
            except Exception:
                logger.exception("event about %s is lost: %s", key.ref, key.text)
                return
            await asyncio.sleep(max(after, pause) + pause * self._jitter())
            pause = min(2 * pause, self._settings.pause_most)

    def _lose(self, key: _Key, error: ApiError) -> None:
        """Say why nothing is written about a namespace: once, until something is."""
        namespace, problem = key.ref.namespace, error.kind
        level = logging.ERROR
        if error.quiet or problem is Kind.NOT_FOUND:
            # Nobody can read it where the namespace goes, or is gone: no trouble of ours.
            level = logging.INFO
            self._refused.pop(namespace, None)
        else:
            if self._refused.get(namespace) is problem:
                level = logging.DEBUG
            self._refused[namespace] = problem
        text = "event about %s is lost: %s (%s)"
        logger.log(level, text, key.ref, key.text, error, extra=error.fields)

    async def _write(self, key: _Key, waiting: _Waiting) -> None:
        if (known := self._written.get(key)) is not None:
            count = known.count + waiting.count
            change = {"count": count, "lastTimestamp": _stamp(waiting.last)}
            with contextlib.suppress(ApiNotFound):  # Events expire after an hour
                await self._client.patch(known.ref, change)
                self._remember(key, _Written(known.ref, count))
                return
        waiting.name = waiting.name or self._name(key.ref.name)
        ref = Ref(EVENTS, waiting.name, key.ref.namespace)
        try:
            await self._client.create(ref, _body(ref, key, waiting))
        except ApiConflict:
            # The name is ours alone: an earlier attempt took effect and its answer was lost.
            logger.debug("event %s exists", ref)
        self._remember(key, _Written(ref, waiting.count))

    def _remember(self, key: _Key, written: _Written) -> None:
        """The newest; while it was written, others may have pushed it out."""
        self._written[key] = written
        self._written.move_to_end(key)
        if len(self._written) > self._settings.remembered:
            self._written.popitem(last=False)

    def _name(self, owner: str) -> str:
        stamp = int(self._now().timestamp() * 1_000_000) * 1000
        self._last_name = max(stamp, self._last_name + 1)
        return f"{owner}.{self._last_name:x}"


def _body(ref: Ref, key: _Key, waiting: _Waiting) -> Object:
    return {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"name": ref.name, "namespace": ref.namespace},
        "involvedObject": {
            "apiVersion": key.ref.resource.api_version,
            "kind": key.ref.resource.kind,
            "namespace": key.ref.namespace,
            "name": key.ref.name,
            "uid": key.uid,
            "resourceVersion": waiting.subject.resource_version,
        },
        "reason": REASON,
        "message": key.text,
        "type": "Warning" if key.warning else "Normal",
        "count": waiting.count,
        "firstTimestamp": _stamp(waiting.first),
        "lastTimestamp": _stamp(waiting.last),
        "source": {"component": COMPONENT},
        "reportingComponent": COMPONENT,
        "reportingInstance": "",
    }


def _stamp(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")
