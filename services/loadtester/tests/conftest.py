"""Fixtures of all tiers: waiting on conditions, and processes that are gone afterwards."""

import pathlib
import time
from collections.abc import Callable

import pytest

Eventually = Callable[[Callable[[], object]], None]


@pytest.fixture(scope="session")
def eventually() -> Eventually:
    """Wait until a condition holds; fail when it does not within a minute."""

    def wait(condition: Callable[[], object]) -> None:
        limit = time.monotonic() + 60
        while not condition():
            assert time.monotonic() < limit, "the condition did not come true"
            time.sleep(0.02)

    return wait


@pytest.fixture
def running() -> Callable[[pathlib.Path], bool]:
    """Say whether the process whose number is in a file runs; a zombie does not."""

    def check(file: pathlib.Path) -> bool:
        try:
            status = pathlib.Path(f"/proc/{int(file.read_text())}/stat").read_text()
        except (FileNotFoundError, ProcessLookupError):
            return False
        return status.rpartition(")")[2].split()[0] != "Z"

    return check
