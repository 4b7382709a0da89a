"""What can go wrong with a write of a controller, and how a write is found again in another run."""

import collections
import json
import re
from dataclasses import dataclass
from enum import StrEnum

from . import protobuf

WRITES = frozenset({"POST", "PUT", "PATCH", "DELETE"})
_PLACE = re.compile(
    r"/(?:api/v1|apis/[^/]+/[^/]+)(?:/namespaces/(?P<namespace>[^/]+))?/(?P<rest>.+)"
)
_BY_CHANCE = ("not-ready", "leases/", "PATCH events/")


class Fault(StrEnum):
    """What happens to a write, or to the watches at the moment of a write."""

    BEFORE = "before"
    """The process is killed, and the write does not reach the server."""
    AFTER = "after"
    """The write takes effect; the process is killed before it hears of it."""
    LOST = "lost"
    """The write takes effect; the connection breaks before the reply."""
    CONFLICT = "conflict"
    """409: somebody was faster."""
    BUSY = "busy"
    """429, with a time to wait; not part of sweeps, where it differs from 500 only in that."""
    ERROR = "error"
    """500."""
    TIMEOUT = "timeout"
    """No reply for longer than a client waits; then the write takes effect after all."""
    PAUSED = "paused"
    """The leader is stopped. The write arrives when another replica leads; then it goes on."""
    FROZEN = "frozen"
    """From this write on open watches deliver nothing; later their connections break."""
    GONE = "gone"
    """Watches break after this write, and the next ones are answered with 410."""
    STALE = "stale"
    """As `gone`; and what is listed then is the past, which stays for some seconds."""

    @property
    def kills(self) -> bool:
        """The process does not survive."""
        return self in (Fault.BEFORE, Fault.AFTER, Fault.PAUSED)

    @property
    def of_moments(self) -> bool:
        """It is not about a single write, which only says when."""
        return self in (Fault.PAUSED, Fault.FROZEN, Fault.GONE, Fault.STALE)


SWEPT = tuple(fault for fault in Fault if fault is not Fault.BUSY)
"""What every write has to survive."""


@dataclass(frozen=True)
class Write:
    """A write as it can be found again in another run: the n-th one to an object."""

    what: str
    """`PATCH canaries/podinfo/status`."""
    number: int
    """Counted from 1."""

    def __str__(self) -> str:
        return f"{self.what}#{self.number}"

    @classmethod
    def parse(cls, text: str) -> "Write":
        """The opposite of `str`; raises ValueError."""
        what, mark, number = text.rpartition("#")
        if not mark:
            raise ValueError(f"{text!r} is no write: it looks like `PUT services/podinfo#1`")
        return cls(what, int(number))

    @property
    def of_status(self) -> bool:
        """A write of the status of a Canary: a decision."""
        return "canaries/" in self.what and self.what.endswith("/status")

    @property
    def by_chance(self) -> bool:
        """Not every run has it: how often waiting for pods is told depends on luck."""
        return any(part in self.what for part in _BY_CHANCE)

    def can_have(self, fault: Fault) -> bool:
        """Whether a fault makes sense.

        Names of Events are made up, so nobody else can have taken them. Moments are status writes.
        """
        if fault.of_moments:
            return self.of_status
        return not (fault is Fault.CONFLICT and self.what.startswith("POST events/"))


class Counter:
    """Gives the writes of one controller their names."""

    def __init__(self) -> None:
        self._counts: collections.Counter[str] = collections.Counter()
        self._events: dict[str, str] = {}
        """Made-up names of Events to what they say."""

    def next(self, method: str, path: str, body: bytes) -> Write:
        """Count a write."""
        what = f"{method} {self._place(method, path, body)}"
        self._counts[what] += 1
        return Write(what, self._counts[what])

    def upcoming(self, what: str) -> Write:
        """The next write to an object."""
        return Write(what, self._counts[what] + 1)

    def _place(self, method: str, path: str, body: bytes) -> str:
        """The object without its namespace; Events by what they say."""
        found = _PLACE.fullmatch(path)
        if found is None:
            return path
        place = found["rest"]
        if method != "POST":
            return self._events.get(place, place)
        name, message = _created(body)
        if place != "events":
            return f"{place}/{name}"
        said = f"events/{_slug(message, found['namespace'] or '')}"
        return self._events.setdefault(f"events/{name}", said)


def _created(body: bytes) -> tuple[str, str]:
    """The name of a new object, and what it says if it is an Event."""
    if body.startswith(protobuf.MAGIC):
        return protobuf.name_and_message(body)
    document = json.loads(body)
    return document["metadata"]["name"], document.get("message", "")


def _slug(text: str, namespace: str) -> str:
    plain = text.replace(f".{namespace}", "").lower()
    return re.sub(r"[^a-z0-9]+", "-", plain).strip("-")
