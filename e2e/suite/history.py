"""What a Canary went through: every status and every Event, watched as they are written."""

import dataclasses
import threading
import time
from collections.abc import Callable, Iterator
from types import TracebackType
from typing import Final, Self, TypeVar

import requests

from e2e.suite import kube, wait

T = TypeVar("T")

POLL: Final = 0.05
THREADS: Final = "history of "
"""What the names of the watching threads begin with; they end within half a minute."""


@dataclasses.dataclass(frozen=True)
class State:
    """The status of a Canary at one moment."""

    phase: str = ""
    weight: int = 0
    iterations: int = 0
    failed: int = 0
    """Failed checks of the run."""
    obligation: str = ""
    """What was decided but is not finished yet, such as `rollback`."""

    def __str__(self) -> str:
        counts = {"weight": self.weight, "iteration": self.iterations, "failed": self.failed}
        told = [f"{name} {count}" for name, count in counts.items() if count]
        return " ".join([self.phase or "new", *told, self.obligation]).strip()


@dataclasses.dataclass(frozen=True)
class Told:
    """An Event about the Canary."""

    warning: bool
    text: str
    at: float = dataclasses.field(default=0.0, compare=False)


class History:
    """Watches one Canary from the moment it is made. Use as a context manager."""

    def __init__(self, api: kube.Kube, namespace: str, name: str = "podinfo") -> None:
        self.namespace = namespace
        self.name = name
        self._api = api
        self._states: list[tuple[float, State]] = []
        self._events: list[Told] = []
        self._counts: dict[str, int] = {}
        self._listeners: list[Callable[[State], None]] = []
        self._hearers: list[Callable[[str], None]] = []
        self._stop = threading.Event()
        self._threads = [
            threading.Thread(target=self._run, args=arguments, name=f"{THREADS}{name}", daemon=True)
            for arguments in (
                ("Canary", f"metadata.name={name}", self._seen),
                ("Event", f"involvedObject.name={name},involvedObject.kind=Canary", self._heard),
            )
        ]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stop.set()

    def _run(self, kind: str, selector: str, take: Callable[[kube.Object], None]) -> None:
        while not self._stop.is_set():
            try:
                for body in self._changes(kind, selector):
                    take(body)
                    if self._stop.is_set():
                        return
            except (requests.RequestException, kube.ApiError):
                self._stop.wait(0.5)

    def _changes(self, kind: str, selector: str) -> Iterator[kube.Object]:
        version = self._api.version(kind, self.namespace)
        yield from self._api.select(kind, self.namespace, fieldSelector=selector)
        while not self._stop.is_set():
            changes = self._api.watch(kind, self.namespace, version, selector)
            for change, body in changes:
                if change == "ERROR":
                    return
                version = body["metadata"]["resourceVersion"]
                if change in ("ADDED", "MODIFIED"):
                    yield body

    def _seen(self, body: kube.Object) -> None:
        status = body.get("status", {})
        state = State(
            status.get("phase", ""),
            status.get("canaryWeight", 0),
            status.get("iterations", 0),
            status.get("failedChecks", 0),
            status.get("run", {}).get("obligation", ""),
        )
        if not self._states or self._states[-1][1] != state:
            self._states.append((time.monotonic(), state))
            for listener in list(self._listeners):
                listener(state)

    def _heard(self, body: kube.Object) -> None:
        uid, count = body["metadata"]["uid"], int(body.get("count") or 1)
        if self._counts.get(uid, 0) < count:
            self._counts[uid] = count
            warning = body.get("type") == "Warning"
            text = body.get("message", "")
            self._events.append(Told(warning, text, time.monotonic()))
            for hearer in list(self._hearers):
                hearer(text)

    def listen(self, listener: Callable[[State], None]) -> None:
        """Call a function with every new state, in the watching thread."""
        self._listeners.append(listener)

    def hear(self, hearer: Callable[[str], None]) -> None:
        """Call a function with the text of every new Event, in the watching thread."""
        self._hearers.append(hearer)

    @property
    def state(self) -> State:
        """The present state."""
        return self._states[-1][1] if self._states else State()

    def mark(self) -> float:
        """Return the present time, for the arguments named `since`."""
        return time.monotonic()

    def states(self, since: float = 0.0) -> list[State]:
        """Return the states in order, each change once."""
        return [state for at, state in list(self._states) if at >= since]

    def phases(self, since: float = 0.0) -> list[str]:
        """Return the phases in order, without immediate repetition."""
        return _without_repetition([state.phase for state in self.states(since)])

    def weights(self, since: float = 0.0) -> list[int]:
        """Return the weights while progressing, in order, without immediate repetition."""
        found = [state.weight for state in self.states(since) if state.phase == "Progressing"]
        return _without_repetition(found)

    def events(self, since: float = 0.0) -> list[Told]:
        """Return the Events in order; one that was raised again is there again."""
        return [event for event in list(self._events) if event.at >= since]

    def texts(self, since: float = 0.0) -> list[str]:
        """Return the texts of the Events in order."""
        return [event.text for event in self.events(since)]

    def describe(self) -> str:
        """Return what happened, for people."""
        lines = [f"{at:12.2f} {state}" for at, state in list(self._states)]
        lines += [
            f"{event.at:12.2f} {'! ' if event.warning else ''}{event.text}"
            for event in list(self._events)
        ]
        return "\n".join(sorted(lines))

    def until(
        self,
        what: str,
        look: Callable[[State], object],
        *,
        since: float = 0.0,
        seconds: float = 120.0,
        never: tuple[str, ...] = (),
    ) -> State:
        """Wait for a state; states that came and went count.

        Args:
            what: is waited for, for the message.
            look: whether it is this state.
            since: only states after this mark; 0 for all that ever were.
            seconds: how long to wait.
            never: phases that end the waiting at once with a failure.
        """

        def found() -> State | None:
            for state in self.states(since):
                if look(state):
                    return state
                if state.phase in never:
                    raise wait.Over(f"{what}: but the canary is {state}\n{self.describe()}")
            return None

        return wait.until(what, found, seconds=seconds, pause=POLL, state=self.describe)

    def phase(
        self, phase: str, *, since: float = 0.0, seconds: float = 120.0, never: tuple[str, ...] = ()
    ) -> State:
        """Wait for a phase."""
        return self.until(
            f"phase {phase} of {self.name}.{self.namespace}",
            lambda state: state.phase == phase,
            since=since,
            seconds=seconds,
            never=never,
        )

    def told(self, words: str, *, since: float = 0.0, seconds: float = 60.0) -> Told:
        """Wait for an Event whose text has these words."""

        def found() -> Told | None:
            return next((event for event in self.events(since) if words in event.text), None)

        return wait.until(
            f'event "{words}"', found, seconds=seconds, pause=POLL, state=self.describe
        )


def _without_repetition(items: list[T]) -> list[T]:
    return [item for index, item in enumerate(items) if index == 0 or items[index - 1] != item]
