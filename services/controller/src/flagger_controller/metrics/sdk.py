"""SDKs: whether they are installed, and calls that block in threads that nobody waits for."""

import asyncio
import functools
import importlib.util
import threading
from collections.abc import Callable
from typing import TypeVar

from flagger_controller.errors import ConfigError

T = TypeVar("T")


def require(module: str, extra: str) -> None:
    """See whether an optional SDK is installed, without importing it.

    Raises:
        ConfigError: it is not.
    """
    try:
        found = importlib.util.find_spec(module)
    except ModuleNotFoundError:
        found = None
    if found is None:
        raise ConfigError(f"this build is without {module}: install the extra {extra}")


async def run(work: Callable[[], T], name: str) -> T:
    """Run blocking code, and return its result or raise its error.

    Not in the event loop's own threads: a hanging SDK would occupy them all, and they look up
    names for every other call. Who is cancelled leaves the thread behind; it ends with its own
    time-outs, or with the process.
    """
    loop = asyncio.get_running_loop()
    outcome: asyncio.Future[T] = loop.create_future()

    def settle(report: Callable[[], None]) -> None:
        if not outcome.cancelled():
            report()

    def body() -> None:
        try:
            report = functools.partial(outcome.set_result, work())
        except BaseException as error:
            report = functools.partial(outcome.set_exception, error)
        if not loop.is_closed():
            loop.call_soon_threadsafe(settle, report)

    threading.Thread(target=body, name=name, daemon=True).start()
    return await outcome
