"""Clients of our own: every request, its status and the version that answered, seen from outside.

Threads with kept connections, as browsers have them. A failed request is recorded, never retried.
"""

import collections
import contextlib
import dataclasses
import http.client
import threading
import time
from collections.abc import Mapping
from types import TracebackType
from typing import Final, Self

from e2e.suite import wait

SECONDS: Final = 10.0
"""A request without an answer for so long has failed."""
RECENT: Final = 60
"""Answers in a row after which no other version has a share of the traffic any more."""
PER_CONNECTION: Final = 200
"""Requests after which a client opens a new connection, as clients do now and then."""


@dataclasses.dataclass(frozen=True)
class Address:
    """Where clients connect to, and what they ask for."""

    host: str
    port: int
    name: str
    """The Host header: which application is meant."""
    path: str = "/"


@dataclasses.dataclass(frozen=True)
class Answer:
    """One request and what came of it."""

    begun: float
    """`time.monotonic` before it was sent."""
    ended: float
    status: int
    """0: no answer."""
    version: str
    """Of the application, from the header X-Version."""
    error: str = ""

    @property
    def failed(self) -> bool:
        """Whether a user would have been annoyed."""
        return not 200 <= self.status < 400


class Load:
    """Clients that ask until they are stopped. Use as a context manager."""

    def __init__(
        self,
        address: Address,
        *,
        clients: int = 4,
        rate: float = 100.0,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        """Prepare the clients.

        Args:
            address: what they ask.
            clients: how many ask at the same time.
            rate: requests a second of all clients together, at most.
            headers: sent with every request, besides Host.
        """
        self._address = address
        self._pause = clients / rate
        self._headers = {"Host": address.name, **(headers or {})}
        self._answers: list[Answer] = []
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._run, daemon=True) for _ in range(clients)]

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
        self.stop()

    def stop(self) -> None:
        """Let requests that are under way finish, then end."""
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def _run(self) -> None:
        connection = self._connect()
        count = 0
        while not self._stop.is_set():
            begun = time.monotonic()
            answer, keep = self._ask(connection, begun)
            self._answers.append(answer)
            count += 1
            if not keep or count % PER_CONNECTION == 0:
                connection.close()
                connection = self._connect()
            self._stop.wait(max(0.0, begun + self._pause - time.monotonic()))
        connection.close()

    def _connect(self) -> http.client.HTTPConnection:
        address = self._address
        return http.client.HTTPConnection(address.host, address.port, timeout=SECONDS)

    def _ask(self, connection: http.client.HTTPConnection, begun: float) -> tuple[Answer, bool]:
        try:
            connection.request("GET", self._address.path, headers=self._headers)
            response = connection.getresponse()
            response.read()
        except (OSError, http.client.HTTPException) as error:
            text = f"{type(error).__name__}: {error}"
            return Answer(begun, time.monotonic(), 0, "", text), False
        version = response.getheader("X-Version") or ""
        answer = Answer(begun, time.monotonic(), response.status, version)
        return answer, not response.will_close

    def answers(self, since: float = 0.0, until: float = float("inf")) -> list[Answer]:
        """Return the requests that were sent and answered between two times."""
        return [a for a in list(self._answers) if a.begun >= since and a.ended <= until]

    def only(self, version: str, *, seconds: float = 60.0) -> float:
        """Wait until everybody gets one version, and return the time: routers need a moment.

        Raises:
            Deviation: others still answer after so many seconds.
        """

        def alone() -> bool:
            recent = self._answers[-RECENT:]
            return len(recent) == RECENT and set(versions(recent)) == {version}

        wait.until(f"everybody gets {version}", alone, seconds=seconds)
        return time.monotonic()

    def failures(self, since: float = 0.0) -> list[Answer]:
        """Return the requests that failed."""
        return [answer for answer in self.answers(since) if answer.failed]


def versions(answers: list[Answer]) -> collections.Counter[str]:
    """Count answers by the version of the application; those of others are under ``."""
    return collections.Counter(answer.version for answer in answers)


def share(answers: list[Answer], version: str) -> float:
    """Return which part of the answers came from a version, in percent."""
    return 100.0 * versions(answers)[version] / max(1, len(answers))


def once(address: Address, *, seconds: float = 5.0) -> Answer | None:
    """Send one request; None where there was no connection."""
    with (
        contextlib.suppress(OSError, http.client.HTTPException),
        contextlib.closing(
            http.client.HTTPConnection(address.host, address.port, timeout=seconds)
        ) as connection,
    ):
        begun = time.monotonic()
        connection.request("GET", address.path, headers={"Host": address.name})
        response = connection.getresponse()
        response.read()
        version = response.getheader("X-Version") or ""
        return Answer(begun, time.monotonic(), response.status, version)
    return None
