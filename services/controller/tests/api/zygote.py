"""Controllers as forks of a process, the zygote, that has imported everything already.

Imports are nine tenths of what a start costs. A fork has them behind it and runs `main` as any
process does: with its own arguments, log, signals and exit code.
"""

import contextlib
import json
import os
import pathlib
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Sequence
from typing import Self

PROGRAM = pathlib.Path(__file__).with_name("forking.py")


class Fork:
    """A running controller; the part of `subprocess.Popen` that is used of it."""

    def __init__(self, reports: socket.socket) -> None:
        self._reports = reports.makefile()
        self.pid = int(self._reports.readline())
        self._code: int | None = None
        self._ended = threading.Event()
        threading.Thread(target=self._await_end, daemon=True).start()

    def _await_end(self) -> None:
        with self._reports:
            self._code = int(self._reports.readline())
        self._ended.set()

    def poll(self) -> int | None:
        """Its exit code, negative after a signal; None: it runs."""
        return self._code

    def wait(self, timeout: float) -> int:
        """Its exit code, when it has ended.

        Raises:
            subprocess.TimeoutExpired: it did not.
        """
        if not self._ended.wait(timeout) or self._code is None:
            raise subprocess.TimeoutExpired(str(self.pid), timeout)
        return self._code

    def send_signal(self, sig: signal.Signals) -> None:
        """Send a signal, unless it has ended."""
        if self._code is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, sig)


class Zygote:
    """The process of which controllers are forks; use it as a context manager."""

    def __init__(self, environment: dict[str, str]) -> None:
        self._environment = environment
        self._orders, self._theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)

    def __enter__(self) -> Self:
        with self._theirs:
            number = self._theirs.fileno()
            command = (sys.executable, "-P", str(PROGRAM), str(number))
            self._process = subprocess.Popen(command, pass_fds=[number], env=self._environment)
        return self

    def __exit__(self, *_: object) -> None:
        self._orders.close()
        self._process.wait()

    def launch(self, arguments: Sequence[str], log: pathlib.Path) -> Fork:
        """Start a controller whose output is appended to a log."""
        order = json.dumps({"arguments": [*arguments], "log": str(log)}).encode()
        ours, theirs = socket.socketpair()
        with ours:
            with theirs:
                socket.send_fds(self._orders, [order], [theirs.fileno()])
            return Fork(ours)
