"""What every test of the repository needs."""

import asyncio

import pytest


@pytest.fixture(scope="session", autouse=True)
def no_forgotten_loop() -> None:
    """Keep pytest-asyncio from making an event loop for the main thread that nobody closes.

    It and looptime ask for the current loop before the first test, of whatever package, which
    makes one if nobody ever set one.
    """
    asyncio.set_event_loop(None)
