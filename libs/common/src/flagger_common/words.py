"""How upstream speaks of the end of a command: Go's words for exit codes, signals and errors."""

import errno
import os
import shutil
import signal
from typing import Final

KILLED: Final = "signal: killed"
TERMINATED: Final = "signal: terminated"


def reason(code: int) -> str:
    """Return the words for an exit code; a negative one is a signal. Success has none."""
    if code == 0:
        return ""
    if code > 0:
        return f"exit status {code}"
    name = signal.strsignal(-code)
    return f"signal: {name.lower() if name else -code}"


def unavailable(program: str, path: str | None = None) -> str | None:
    """Return None if a program can be started, else the words for why not.

    Args:
        program: its path, or its name.
        path: where to look up names, as in ``PATH``; None for that of this process.
    """
    if shutil.which(program, path=path):
        return None
    if "/" not in program:
        return f'exec: "{program}": executable file not found in $PATH'
    number = errno.EACCES if os.path.exists(program) else errno.ENOENT
    return not_started(program, OSError(number, os.strerror(number)))


def not_started(program: str, error: OSError) -> str:
    """Return the words for a program that the system did not start."""
    return f"fork/exec {program}: {(error.strerror or str(error)).lower()}"
