"""Running the Helm program: own process group, time limit, bounded output, small environment."""

import dataclasses
import enum
import logging
import pathlib
import threading
import time
from collections.abc import Mapping, Sequence
from typing import Final, Protocol

from flagger_common import confinement, process, words
from flagger_common.plan import Plan

from . import flights, outcome

logger = logging.getLogger(__name__)

GRACE_SECONDS: Final = 10.0
"""How long Helm may take to stop by itself; it stops waiting for its pods at SIGTERM."""

QUERY_SECONDS: Final = 30.0
"""How long a question about a release may take."""

_ANSWER_BYTES: Final = 16 << 20
"""Longest answer to one; the description of a release has the manifests of all its objects."""

_LIMITS: Final = {"core": 0, "fsize": 64 << 20, "nofile": 1024}
"""Limits of a run (spec B.5): a crash leaves no secrets in a core file, nothing fills the volume.

None on memory: Go reserves much address space.
"""

_PASSED_ON: Final = (
    "PATH",
    "KUBECONFIG",
    "KUBERNETES_SERVICE_HOST",
    "KUBERNETES_SERVICE_PORT",
    "HELM_DRIVER",
    "HELM_DRIVER_SQL_CONNECTION_STRING",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "NO_PROXY",
    "http_proxy",
    "https_proxy",
    "no_proxy",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "LANG",
    "TZ",
)
"""Variables that Helm gets from our environment; our settings and secrets are not among them."""


class End(enum.Enum):
    """What ended a run."""

    EXIT = enum.auto()
    """The program itself."""
    TIME = enum.auto()
    """Its time limit."""
    STOP = enum.auto()
    """We did: at the shutdown, or because nobody wanted the result any more."""
    NO_START = enum.auto()
    """The program could not be started."""


@dataclasses.dataclass(frozen=True, slots=True)
class Outcome:
    """How a run of Helm ended."""

    output: str
    """What it printed on both streams, bounded and without colours."""
    reason: str = ""
    """Why it failed, in upstream's words; empty when it succeeded."""
    end: End = End.EXIT
    """What ended it."""


class Program(Protocol):
    """What runs the tests."""

    def run(self, arguments: Sequence[str], wanted: flights.Wanted = flights.always) -> Outcome:
        """Run the program to its end, or until its result is not wanted any more."""

    def query(self, arguments: Sequence[str]) -> str:
        """Return what the program prints on its standard output.

        Raises:
            OSError: it failed, could not be started, or took too long.
        """

    def available(self) -> str | None:
        """Return None if the program can be run, else the reason why not."""

    def stop_all(self) -> None:
        """Stop every run and start none any more."""


class Helm:
    """Runs one Helm binary; several runs at a time are fine."""

    def __init__(
        self,
        binary: str,
        home: pathlib.Path,
        limit: float,
        environ: Mapping[str, str],
        grace: float = GRACE_SECONDS,
    ) -> None:
        """Prepare the directories Helm wants to write to.

        Args:
            binary: path of the program, or its name to look up in `PATH`.
            home: writable directory for Helm's cache, configuration, data and an empty plugin
                directory.
            limit: seconds until a run is ended.
            environ: where the few variables that Helm gets are taken from.
            grace: seconds between the polite end of a run and the certain one.

        Raises:
            ConfinementError: a program is missing that sets limits.
        """
        self._binary = binary
        self._limit = limit
        self._grace = grace
        variables = environment(environ, home)
        self._path = variables.get("PATH")
        self._confinement = confinement.Confinement(
            confinement.prefix(_LIMITS), variables, scratch=False
        )
        self._changed = threading.Condition()
        self._closed = False
        self._running = 0
        plugins = home / "plugins"
        plugins.mkdir(parents=True, exist_ok=True)
        plugins.chmod(0o555)

    def run(self, arguments: Sequence[str], wanted: flights.Wanted = flights.always) -> Outcome:
        """Run Helm to its end, or to the end of its time; never raises for what Helm does."""
        plan = Plan.of((self._binary, *arguments))
        ended = self._execute(plan, self._limit, wanted, outcome.OUTPUT_BYTES)
        return dataclasses.replace(ended, output=outcome.clean(ended.output))

    def query(self, arguments: Sequence[str]) -> str:
        """Return what Helm prints on its standard output.

        Raises:
            OSError: it failed, could not be started, or took too long.
        """
        plan = Plan.of((self._binary, *arguments), errors=False)
        ended = self._execute(plan, QUERY_SECONDS, flights.always, _ANSWER_BYTES)
        if ended.reason:
            raise OSError(f"helm {arguments[0]}: {ended.reason}")
        return ended.output

    def stop_all(self) -> None:
        """Stop every running Helm and start none any more; returns when they are gone."""
        with self._changed:
            self._closed = True
            self._changed.wait_for(lambda: not self._running, 2 * self._grace)

    def available(self) -> str | None:
        """Return None if the program can be run, else the reason why not."""
        return words.unavailable(self._binary, self._path)

    def _execute(
        self, plan: Plan, seconds: float, wanted: flights.Wanted, max_output: int
    ) -> Outcome:
        """Run a plan until its time is over, its result not wanted any more, or `stop_all`."""
        limit = _Limit(seconds, lambda: not self._closed and wanted())
        with self._changed:
            self._running += 1
        try:
            ended = process.execute(plan, limit, max_output, self._grace, self._confinement)
        finally:
            with self._changed:
                self._running -= 1
                self._changed.notify_all()
        end = limit.end if ended.started else End.NO_START
        return Outcome(ended.output, words.TERMINATED if end is End.STOP else ended.reason, end)


class _Limit:
    """How many seconds a run may go on, and what for it may not."""

    def __init__(self, seconds: float, wanted: flights.Wanted) -> None:
        self.end = End.EXIT
        self._wanted = wanted
        self._seconds = seconds
        self._until = time.monotonic() + seconds

    def __call__(self) -> float:
        left = self._until - time.monotonic()
        if left <= 0:
            self.end = End.TIME
            logger.warning("helm is stopped after its time limit of %s s", self._seconds)
        elif not self._wanted():
            self.end, left = End.STOP, 0.0
            logger.warning("helm is stopped: its result is not wanted any more")
        return left


def environment(environ: Mapping[str, str], home: pathlib.Path) -> dict[str, str]:
    """Build Helm's environment from scratch (spec helmtester B.5)."""
    passed = {name: environ[name] for name in _PASSED_ON if name in environ}
    return {
        **passed,
        "HOME": str(home),
        "HELM_CACHE_HOME": str(home / "cache"),
        "HELM_CONFIG_HOME": str(home / "config"),
        "HELM_DATA_HOME": str(home / "data"),
        "HELM_PLUGINS": str(home / "plugins"),
    }
