"""Which canary is due when: a heap of due times. Pure, no clock of its own."""

import heapq


class Due:
    """Due times by key; a key has one, the earliest that was asked for since it was last taken."""

    def __init__(self) -> None:
        self._heap: list[tuple[float, str]] = []
        self._times: dict[str, float] = {}

    def __len__(self) -> int:
        return len(self._times)

    def add(self, key: str, at: float) -> None:
        """Make a key due at a time, or earlier when it is already."""
        known = self._times.get(key)
        if known is None or at < known:
            self._times[key] = at
            heapq.heappush(self._heap, (at, key))

    def discard(self, key: str) -> None:
        """Forget a key."""
        self._times.pop(key, None)

    def next(self) -> float | None:
        """When the next key is due; None when there is none."""
        self._drop_outdated()
        return self._heap[0][0] if self._heap else None

    def overdue(self, now: float) -> int:
        """How many keys are due."""
        return sum(at <= now for at in self._times.values())

    def take(self, now: float, most: int) -> list[str]:
        """Remove and return up to `most` keys that are due, earliest first."""
        taken: list[str] = []
        while len(taken) < most and (at := self.next()) is not None and at <= now:
            key = heapq.heappop(self._heap)[1]
            del self._times[key]
            taken.append(key)
        return taken

    def _drop_outdated(self) -> None:
        while self._heap and self._times.get(self._heap[0][1]) != self._heap[0][0]:
            heapq.heappop(self._heap)
