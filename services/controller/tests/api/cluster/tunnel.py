"""A TCP proxy on the loopback interface that can be cut or frozen."""

import asyncio
import contextlib
from collections.abc import AsyncIterator


class Tunnel:
    """All connections go to one port of this machine."""

    def __init__(self, target: int) -> None:
        self.port = 0
        self.accepted = 0
        self._target = target
        self._open: set[asyncio.StreamWriter] = set()
        self._serving: set[asyncio.Task[None]] = set()
        self._era = 0

    def cut(self) -> None:
        """Reset all connections."""
        for writer in self._open:
            writer.transport.abort()

    def freeze(self) -> None:
        """Swallow everything that the connections of now still carry; new ones work."""
        self._era += 1

    def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve a new connection."""
        self.accepted += 1
        self._open.add(writer)
        task = asyncio.create_task(self._serve(reader, writer))
        self._serving.add(task)
        task.add_done_callback(self._serving.discard)

    async def close(self) -> None:
        """End all connections, also those that are just being made."""
        for task in self._serving:
            task.cancel()
        await asyncio.gather(*self._serving, return_exceptions=True)
        self.cut()  # those of tasks that had not begun
        await asyncio.sleep(0)  # the loop closes them

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        mine, ends = self._era, {writer}
        try:
            there, away = await asyncio.open_connection("127.0.0.1", self._target)
            ends.add(away)
            self._open.add(away)
            with contextlib.suppress(OSError):
                await asyncio.gather(
                    self._copy(reader, away, mine), self._copy(there, writer, mine)
                )
        finally:
            for end in ends:
                end.transport.abort()
            self._open -= ends

    async def _copy(
        self, source: asyncio.StreamReader, target: asyncio.StreamWriter, mine: int
    ) -> None:
        while data := await source.read(65536):
            if mine == self._era:
                target.write(data)
                await target.drain()
        target.transport.abort()


@contextlib.asynccontextmanager
async def tunnel(target: int) -> AsyncIterator[Tunnel]:
    made = Tunnel(target)
    server = await asyncio.start_server(made.accept, "127.0.0.1", 0)
    made.port = server.sockets[0].getsockname()[1]
    try:
        yield made
    finally:
        server.close()
        await made.close()
