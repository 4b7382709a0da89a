"""Short commands of the system (ip, nft, umount...): run, checked, with the error text shown."""

import json
import subprocess
from typing import Any

from tools.cluster import packages, settings

SECONDS = 60


def run(program: str, *arguments: str, text: str | None = None) -> str:
    """Run a command and return its output.

    Args:
        program: name, looked up in the path and in the folders for root.
        *arguments: its arguments.
        text: its standard input.

    Raises:
        ClusterError: it failed; the text has its error output.
    """
    done = attempt(program, *arguments, text=text)
    if done.returncode != 0:
        command = " ".join((program, *arguments))
        raise settings.ClusterError(f"`{command}` failed: {done.stderr.strip()}")
    return done.stdout


def attempt(
    program: str, *arguments: str, text: str | None = None
) -> subprocess.CompletedProcess[str]:
    """Run a command that may fail."""
    argv = [packages.path(program), *arguments]
    return subprocess.run(argv, input=text, capture_output=True, text=True, timeout=SECONDS)


def objects(program: str, *arguments: str) -> list[dict[str, Any]]:
    """Run a command of iproute2 with JSON output and return the list it prints."""
    found: list[dict[str, Any]] = json.loads(run(program, *arguments) or "[]")
    return found
