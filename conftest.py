"""What every test of the repository needs."""

import asyncio
import pathlib
import time
from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, settings

Eventually = Callable[[Callable[[], object]], None]

# Machines are shared: how long an example takes says nothing about the code.
settings.register_profile("untimed", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("untimed")


@pytest.fixture(scope="session", autouse=True)
def no_forgotten_loop() -> None:
    """Keep pytest-asyncio from making an event loop for the main thread that nobody closes.

    It and looptime ask for the current loop before the first test, of whatever package, which
    makes one if nobody ever set one.
    """
    asyncio.set_event_loop(None)


@pytest.fixture(scope="session")
def eventually() -> Eventually:
    """Wait until a condition holds; fail when it does not within a minute."""

    def wait(condition: Callable[[], object]) -> None:
        limit = time.monotonic() + 60
        while not condition():
            if time.monotonic() >= limit:
                pytest.fail("the condition did not come true within a minute")
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
