"""The tasks that are over: a limited number, with a limited amount of output."""

import collections
import dataclasses
from collections.abc import Iterator
from typing import Final

from .records import Record

MOST_OUTPUT: Final = 4 * 1024 * 1024
"""Characters of output of all tasks together."""
_MOST_ONCE: Final = 1000


class History:
    """Keeps the newest records. Not safe for threads: the runner holds its lock."""

    def __init__(self, size: int, most_output: int = MOST_OUTPUT) -> None:
        self._size = size
        self._most_output = most_output
        self._records: dict[str, Record] = {}  # oldest first
        self._with_output: collections.deque[str] = collections.deque()
        self._output = 0

    def __iter__(self) -> Iterator[Record]:
        return iter(self._records.values())

    def find(self, number: str) -> Record | None:
        """Return a record; None when there is none any more."""
        return self._records.get(number)

    def add(self, record: Record) -> None:
        """Add the record of a task that has ended; the oldest outputs and records go."""
        self._records[record.id] = record
        if record.output:
            self._with_output.append(record.id)
            self._output += len(record.output)
        while self._output > self._most_output:
            self._drop_output()
        while len(self._records) > self._size:
            self._drop_record()

    def _drop_output(self) -> None:
        number = self._with_output.popleft()
        record = self._records[number]
        self._output -= len(record.output)
        self._records[number] = dataclasses.replace(record, output="")

    def _drop_record(self) -> None:
        oldest = next(iter(self._records))
        if self._with_output and self._with_output[0] == oldest:
            self._drop_output()
        del self._records[oldest]


class Once:
    """Which tasks with ``onlyOnce`` have succeeded, and under which number; the newest thousand."""

    def __init__(self) -> None:
        self._numbers: dict[tuple[str, ...], str] = {}

    def find(self, key: tuple[str, ...]) -> str | None:
        """Return the number of the task that did this; None when it is not done."""
        return self._numbers.get(key)

    def add(self, key: tuple[str, ...], number: str) -> None:
        """Remember a success."""
        self._numbers[key] = number
        if len(self._numbers) > _MOST_ONCE:
            del self._numbers[next(iter(self._numbers))]
