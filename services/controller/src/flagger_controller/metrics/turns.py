"""So many questions at a time to one source; who comes later waits for a turn.

One that hangs must not use up what all share: open files, threads of SDKs. Waiting takes no
time from the source's own limit, so a burst of canaries fails no check; `tick/gather.py` bounds
the whole.
"""

import asyncio
from typing import Final
from weakref import WeakValueDictionary

from flagger_controller.metrics.base import MetricSource

AT_ONCE: Final = 50
"""More than any of the servers works on at a time; twenty of them that hang fit into the usual
limit of 1024 open files."""


class Turns:
    """Sources of the same type at the same place share their turns, whatever made them."""

    def __init__(self, at_once: int = AT_ONCE) -> None:
        self._at_once = at_once
        self._lines: WeakValueDictionary[tuple[str, ...], asyncio.Semaphore] = WeakValueDictionary()

    def share(self, source: MetricSource, kind: str, place: str) -> MetricSource:
        """The source, asked in turn; its place is an address, or a region."""
        line = self._lines.setdefault((kind, place), asyncio.Semaphore(self._at_once))
        return _InTurn(source, line)


class _InTurn:
    def __init__(self, source: MetricSource, line: asyncio.Semaphore) -> None:
        self._source = source
        self._line = line

    async def query(self, query: str) -> float:
        async with self._line:
            return await self._source.query(query)

    async def online(self) -> None:
        async with self._line:
            await self._source.online()
