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
        self._era = 0

    def cut(self) -> None:
        """Reset all connections."""
        for writer in self._open:
            writer.transport.abort()

    def freeze(self) -> None:
        """Swallow everything that the connections of now still carry; new ones work."""
        self._era += 1

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.accepted += 1
        mine = self._era
        there, away = await asyncio.open_connection("127.0.0.1", self._target)
        self._open |= {writer, away}
        with contextlib.suppress(OSError, asyncio.CancelledError):
            await asyncio.gather(self._copy(reader, away, mine), self._copy(there, writer, mine))
        for end in (writer, away):
            end.transport.abort()
        self._open -= {writer, away}

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
    server = await asyncio.start_server(made.serve, "127.0.0.1", 0)
    made.port = server.sockets[0].getsockname()[1]
    try:
        yield made
    finally:
        server.close()
        made.cut()
        await asyncio.sleep(0.05)
