"""SDKs that block (`metrics/sdk.py`)."""

import asyncio
import threading

import pytest

from flagger_controller.errors import ConfigError
from flagger_controller.metrics import sdk


async def test_results_and_errors_come_back() -> None:
    assert await sdk.run(lambda: 7, "seven") == 7
    with pytest.raises(ZeroDivisionError):
        await sdk.run(lambda: 1 // 0, "error")


async def test_hanging_calls_leave_the_threads_of_the_loop_alone() -> None:
    """The event loop looks up names with these; who is cancelled does not wait."""
    release = threading.Event()
    hanging = [asyncio.ensure_future(sdk.run(release.wait, f"hang {n}")) for n in range(50)]
    assert await asyncio.to_thread(lambda: 7) == 7
    hanging[0].cancel()
    with pytest.raises(asyncio.CancelledError):
        await hanging[0]
    release.set()
    assert await asyncio.gather(*hanging[1:]) == [True] * 49


def test_an_sdk_that_is_not_installed() -> None:
    sdk.require("json", "none")
    for name in ("no_such_module", "no_such_module.part"):
        with pytest.raises(ConfigError, match="install the extra clouds"):
            sdk.require(name, "clouds")
