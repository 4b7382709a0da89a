"""A signal that many tasks can wait for, again and again."""

import asyncio
from collections.abc import Callable


class Pulse:
    """Wakes everybody who waits at the moment of a beat; unlike an Event it is never "set"."""

    def __init__(self) -> None:
        self._next: asyncio.Future[None] | None = None

    def beat(self) -> None:
        """Wake all waiting tasks."""
        if self._next is not None and not self._next.done():
            self._next.set_result(None)
        self._next = None

    async def wait(self) -> None:
        """Wait for the next beat."""
        if self._next is None:
            self._next = asyncio.get_running_loop().create_future()
        # Shielded: the future is shared, and one cancelled task must not cancel the others.
        await asyncio.shield(self._next)

    async def until(self, ready: Callable[[], bool]) -> None:
        """Wait until a condition holds that can only change with a beat."""
        while not ready():
            await self.wait()
