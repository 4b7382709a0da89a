"""Running the Helm program: own process group, time limit, bounded output, small environment."""

import contextlib
import dataclasses
import enum
import logging
import os
import pathlib
import resource
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from typing import IO, Final, Protocol

from flagger_common import output

from . import flights, outcome, words

logger = logging.getLogger(__name__)

GRACE_SECONDS: Final = 10.0
"""How long Helm may take to stop by itself; it stops waiting for its pods at SIGTERM."""

QUERY_SECONDS: Final = 30.0
"""How long a question about a release may take."""

_POLL_SECONDS: Final = 1.0
"""How often a run looks whether its result is still wanted."""

_RESOURCES: Final = {
    resource.RLIMIT_CORE: 0,
    resource.RLIMIT_FSIZE: 64 << 20,
    resource.RLIMIT_NOFILE: 1024,
}
"""Limits of a run (spec B.5): a crash leaves no secrets in a core file, nothing fills the volume.

None on memory or processes: Go reserves much address space, and counts threads as processes.
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

    def query(self, arguments: Sequence[str]) -> bytes:
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
        """
        self._binary = binary
        self._limit = limit
        self._grace = grace
        self._environ = environment(environ, home)
        self._lock = threading.Lock()
        self._closed = False
        self._running: dict[int, subprocess.Popen[bytes]] = {}
        plugins = home / "plugins"
        plugins.mkdir(parents=True, exist_ok=True)
        plugins.chmod(0o555)

    def run(self, arguments: Sequence[str], wanted: flights.Wanted = flights.always) -> Outcome:
        """Run Helm to its end, or to the end of its time; never raises for what Helm does."""
        try:
            process = self._start(arguments, subprocess.STDOUT) if wanted() else None
        except OSError as error:
            return Outcome("", words.start_error(self._binary, error), End.NO_START)
        if process is None:
            return Outcome("", "signal: terminated", End.STOP)
        kept = output.Capture(outcome.OUTPUT_BYTES)
        reader = threading.Thread(target=_drain, args=(process.stdout, kept), daemon=True)
        reader.start()
        end = self._watch(process, wanted)
        code = self._finish(process, reader)
        if end is End.EXIT and code == -signal.SIGTERM and self._closed:
            end = End.STOP
        reason = "signal: killed" if end is End.TIME else words.reason(code)
        return Outcome(words.clean(kept.text()), reason, end)

    def query(self, arguments: Sequence[str]) -> bytes:
        """Return what Helm prints on its standard output.

        Raises:
            OSError: it failed, could not be started, or took too long.
        """
        process = self._start(arguments, subprocess.DEVNULL)
        if process is None:
            raise OSError("helm is not started any more")
        try:
            printed, _ = process.communicate(timeout=QUERY_SECONDS)
        except subprocess.TimeoutExpired as error:
            raise OSError(f"helm {arguments[0]} took more than {QUERY_SECONDS} s") from error
        finally:
            self._stop(process)
            process.wait()
            with self._lock:
                del self._running[process.pid]
        if process.returncode:
            raise OSError(f"helm {arguments[0]}: {words.reason(process.returncode)}")
        return printed

    def stop_all(self) -> None:
        """Stop every running Helm and start none any more; for the shutdown."""
        with self._lock:
            self._closed = True
            running = list(self._running.values())
        for process in running:
            self._stop(process)

    def available(self) -> str | None:
        """Return None if the program can be run, else the reason why not."""
        if shutil.which(self._binary, path=self._environ.get("PATH")):
            return None
        return words.not_found(self._binary)

    def _start(self, arguments: Sequence[str], errors: int) -> subprocess.Popen[bytes] | None:
        """Start the program; None after `stop_all`, which must not miss a process."""
        program = shutil.which(self._binary, path=self._environ.get("PATH")) or self._binary
        with self._lock:
            if self._closed:
                return None
            process = subprocess.Popen(  # noqa: S603 - arguments come from helmtest.build, no shell
                [program, *arguments],
                env=self._environ,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=errors,
                start_new_session=True,
            )
            self._running[process.pid] = process
        _limit(process.pid)
        return process

    def _watch(self, process: subprocess.Popen[bytes], wanted: flights.Wanted) -> End:
        """Wait for the end of a run, and bring it about where it has to be."""
        deadline = time.monotonic() + self._limit
        while not _ended(process, min(_POLL_SECONDS, max(0.0, deadline - time.monotonic()))):
            if time.monotonic() >= deadline:
                logger.warning("helm is stopped after its time limit of %s s", self._limit)
                self._stop(process)
                return End.TIME
            if not wanted():
                logger.warning("helm is stopped: nobody waits for its result any more")
                self._stop(process)
                return End.STOP
        return End.EXIT

    def _finish(self, process: subprocess.Popen[bytes], reader: threading.Thread) -> int:
        """Wait for the rest of the output; return the exit code."""
        code = process.wait()
        reader.join(1.0)
        if reader.is_alive():
            # A child of Helm holds the pipe open. It lives, so its group id is still ours.
            _signal_group(process.pid, signal.SIGKILL)
            reader.join(1.0)
        with self._lock:
            del self._running[process.pid]
        return code

    def _stop(self, process: subprocess.Popen[bytes]) -> None:
        """End the process group: politely, then for certain."""
        if process.poll() is None:
            _signal_group(process.pid, signal.SIGTERM)
            if not _ended(process, self._grace):
                _signal_group(process.pid, signal.SIGKILL)


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


def _drain(stream: IO[bytes], kept: output.Capture) -> None:
    with stream, contextlib.suppress(OSError):
        while chunk := os.read(stream.fileno(), 65536):
            kept.add(chunk)


def _limit(pid: int) -> None:
    """Limit a process that was just started, unless it has ended already."""
    with contextlib.suppress(ProcessLookupError):
        for kind, most in _RESOURCES.items():
            _, hard = resource.prlimit(pid, kind)
            if hard == resource.RLIM_INFINITY or hard > most:
                resource.prlimit(pid, kind, (most, most))


def _ended(process: subprocess.Popen[bytes], seconds: float) -> bool:
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        return False
    return True


def _signal_group(pid: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, number)
