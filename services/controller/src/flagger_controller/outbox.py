"""Sends things off the tick path: a bounded queue, in order within a lane, lanes side by side.

A slow receiver must not stretch an analysis interval, and must not hold up other canaries.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Final

logger = logging.getLogger(__name__)

Job = Callable[[], Awaitable[None]]

_CAPACITY: Final = 1000
_AT_ONCE: Final = 200
"""Enough for everybody who waits for a receiver that is down, and below the usual limit of 1024
open files."""


class Outbox:
    """Jobs wait here until `run` has done them.

    Of a lane one job runs at a time, then it goes to the back of the line.
    """

    def __init__(self, capacity: int = _CAPACITY, at_once: int = _AT_ONCE) -> None:
        """Make an empty outbox.

        Args:
            capacity: jobs that may wait in all lanes together.
            at_once: jobs that run at the same time.
        """
        self._capacity = capacity
        self._at_once = at_once
        self._lanes: dict[str, deque[Job]] = {}
        self._ready: asyncio.Queue[str] = asyncio.Queue()
        self._waiting = 0
        self._empty = asyncio.Event()
        self._empty.set()
        self._watched: dict[str, asyncio.Event] = {}

    @property
    def waiting(self) -> int:
        """Jobs that are not done."""
        return self._waiting

    def put(self, lane: str, job: Job) -> bool:
        """Add a job to the end of a lane; False: the outbox is full and the job is dropped."""
        if self._waiting >= self._capacity:
            return False
        jobs = self._lanes.setdefault(lane, deque())
        jobs.append(job)
        self._waiting += 1
        self._empty.clear()
        if len(jobs) == 1:
            self._ready.put_nowait(lane)
        return True

    async def run(self) -> None:
        """Work until cancelled."""
        slots = asyncio.Semaphore(self._at_once)
        async with asyncio.TaskGroup() as group:
            while True:
                await slots.acquire()
                lane = await self._ready.get()
                work = group.create_task(self._work(lane))
                work.add_done_callback(lambda _: slots.release())

    async def settled(self, lane: str) -> None:
        """Wait until nothing of a lane is left."""
        if lane in self._lanes:
            await self._watched.setdefault(lane, asyncio.Event()).wait()

    async def drain(self, seconds: float) -> int:
        """Wait until everything is done, at most so long; the number of jobs left undone."""
        try:
            async with asyncio.timeout(seconds):
                await self._empty.wait()
        except TimeoutError:
            logger.warning("%d messages were not sent in time", self._waiting)
        return self._waiting

    async def _work(self, lane: str) -> None:
        jobs = self._lanes[lane]
        try:
            await jobs[0]()
        except Exception:
            logger.exception("a message could not be sent")
        self._finish(lane, jobs)

    def _finish(self, lane: str, jobs: deque[Job]) -> None:
        jobs.popleft()
        self._waiting -= 1
        if jobs:
            self._ready.put_nowait(lane)
        else:
            del self._lanes[lane]
            if watched := self._watched.pop(lane, None):
                watched.set()
        if not self._waiting:
            self._empty.set()
