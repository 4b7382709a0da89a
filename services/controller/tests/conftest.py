import asyncio

import pytest


@pytest.fixture(scope="session", autouse=True)
def no_forgotten_loop() -> None:
    """Keep pytest-asyncio from making an event loop for the main thread that nobody closes.

    It asks for the current loop before its first test, which makes one if nobody ever set one.
    """
    asyncio.set_event_loop(None)
