"""Running the Helm program: own process group, time limit, bounded output, small environment."""

import contextlib
import dataclasses
import logging
import os
import pathlib
import re
import shutil
import signal
import subprocess
import threading
from collections.abc import Mapping, Sequence
from typing import IO, Final, Protocol

logger = logging.getLogger(__name__)

OUTPUT_BYTES: Final = 16 * 1024
"""Longest output that is kept: one half from its beginning, one from its end (spec B.4)."""

GRACE_SECONDS: Final = 10.0
"""How long Helm may take to stop by itself; it stops waiting for its pods at SIGTERM."""

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

_ANSI: Final = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[@-_])")

_SIGNALS: Final = {
    signal.SIGHUP: "hangup",
    signal.SIGINT: "interrupt",
    signal.SIGABRT: "aborted",
    signal.SIGKILL: "killed",
    signal.SIGSEGV: "segmentation fault",
    signal.SIGTERM: "terminated",
}
"""Go's names of signals, as upstream puts them into its answers."""


@dataclasses.dataclass(frozen=True, slots=True)
class Outcome:
    """How a run of Helm ended."""

    output: str
    """What it printed on both streams, bounded and without colours."""
    reason: str = ""
    """Why it failed, in upstream's words; empty when it succeeded."""


class Program(Protocol):
    """What runs the tests."""

    def run(self, arguments: Sequence[str]) -> Outcome:
        """Run the program to its end."""

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
        (home / "plugins").mkdir(parents=True, exist_ok=True)

    def run(self, arguments: Sequence[str]) -> Outcome:
        """Run Helm to its end, or to the end of its time; never raises for what Helm does."""
        try:
            process = self._start(arguments)
        except OSError as error:
            return Outcome("", _start_error(self._binary, error))
        if process is None:
            return Outcome("", "signal: terminated")
        kept = Bounded(OUTPUT_BYTES)
        reader = threading.Thread(target=kept.drain, args=(process.stdout,), daemon=True)
        reader.start()
        timed_out = not _ended(process, self._limit)
        if timed_out:
            logger.warning("helm is stopped after its time limit of %s s", self._limit)
            self._stop(process)
        code = process.wait()
        reader.join(1.0)
        if reader.is_alive():
            # A child of Helm holds the pipe open. It lives, so its group id is still ours.
            _signal_group(process.pid, signal.SIGKILL)
            reader.join(1.0)
        with self._lock:
            del self._running[process.pid]
        reason = "signal: killed" if timed_out else _reason(code)
        return Outcome(clean(kept.text()), reason)

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
        return f'exec: "{self._binary}": executable file not found in $PATH'

    def _start(self, arguments: Sequence[str]) -> subprocess.Popen[bytes] | None:
        """Start the program; None after `stop_all`, which must not miss a process."""
        with self._lock:
            if self._closed:
                return None
            process = subprocess.Popen(  # noqa: S603 - arguments come from helmtest.build, no shell
                [self._binary, *arguments],
                env=self._environ,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
            self._running[process.pid] = process
        return process

    def _stop(self, process: subprocess.Popen[bytes]) -> None:
        """End the process group: politely, then for certain."""
        if process.poll() is None:
            _signal_group(process.pid, signal.SIGTERM)
            if not _ended(process, self._grace):
                _signal_group(process.pid, signal.SIGKILL)


class Bounded:
    """Keeps the beginning and the end of a stream of any length."""

    def __init__(self, size: int) -> None:
        self._half = size // 2
        self._head = bytearray()
        self._tail = bytearray()
        self._lost = 0

    def drain(self, stream: IO[bytes]) -> None:
        """Read a stream to its end."""
        with stream, contextlib.suppress(OSError):
            while chunk := os.read(stream.fileno(), 65536):
                self.add(chunk)

    def add(self, chunk: bytes) -> None:
        """Take the next part."""
        room = self._half - len(self._head)
        self._head += chunk[:room]
        self._tail += chunk[room:] if room > 0 else chunk
        surplus = len(self._tail) - self._half
        if surplus > 0:
            del self._tail[:surplus]
            self._lost += surplus

    def text(self) -> str:
        """Return what was kept; a note stands where something is missing."""
        gap = f"\n[{self._lost} bytes left out]\n" if self._lost else ""
        head, tail = self._head, self._tail
        if not gap:
            return (head + tail).decode(errors="replace")
        return head.decode(errors="replace") + gap + tail.decode(errors="replace")


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


def clean(text: str) -> str:
    """Remove terminal colours and other escapes."""
    return _ANSI.sub("", text)


def _ended(process: subprocess.Popen[bytes], seconds: float) -> bool:
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        return False
    return True


def _signal_group(pid: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, number)


def _reason(code: int) -> str:
    """Return upstream's words for an exit code; a negative one is a signal."""
    if code == 0:
        return ""
    if code > 0:
        return f"exit status {code}"
    try:
        return f"signal: {_SIGNALS[signal.Signals(-code)]}"
    except (ValueError, KeyError):
        return f"signal: signal {-code}"


def _start_error(binary: str, error: OSError) -> str:
    if isinstance(error, FileNotFoundError) and "/" not in binary:
        return f'exec: "{binary}": executable file not found in $PATH'
    return f"fork/exec {binary}: {(error.strerror or str(error)).lower()}"
