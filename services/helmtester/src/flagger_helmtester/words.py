"""How upstream speaks of the end of a command: Go's words for exit codes, signals and errors."""

import re
import signal
from typing import Final

_ANSI: Final = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[@-_])")
_SIGNALS: Final = {
    signal.SIGHUP: "hangup",
    signal.SIGINT: "interrupt",
    signal.SIGABRT: "aborted",
    signal.SIGKILL: "killed",
    signal.SIGSEGV: "segmentation fault",
    signal.SIGTERM: "terminated",
}


def clean(text: str) -> str:
    """Remove terminal colours and other escapes."""
    return _ANSI.sub("", text)


def reason(code: int) -> str:
    """Return the words for an exit code; a negative one is a signal."""
    if code == 0:
        return ""
    if code > 0:
        return f"exit status {code}"
    try:
        return f"signal: {_SIGNALS[signal.Signals(-code)]}"
    except (ValueError, KeyError):
        return f"signal: signal {-code}"


def not_found(program: str) -> str:
    """Return the words for a program that is not there."""
    return f'exec: "{program}": executable file not found in $PATH'


def start_error(program: str, error: OSError) -> str:
    """Return the words for a program that could not be started."""
    if isinstance(error, FileNotFoundError) and "/" not in program:
        return not_found(program)
    return f"fork/exec {program}: {(error.strerror or str(error)).lower()}"
