"""What every test of the repository needs."""

import asyncio

import pytest
from hypothesis import HealthCheck, settings

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
