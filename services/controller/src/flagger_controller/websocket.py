"""Web sockets, for the one source that streams its answers; what `net` is for single requests."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

import aiohttp

from flagger_controller import net


class Socket:
    """An open conversation; every step ends at the deadline of the whole."""

    def __init__(
        self, response: aiohttp.ClientWebSocketResponse, request: net.Request, deadline: float
    ) -> None:
        self._response = response
        self._request = request
        self._deadline = deadline

    async def send(self, text: str) -> None:
        """Say something.

        Raises:
            CallError: the connection is broken, or time is up.
        """
        with net.translated(self._request):
            async with asyncio.timeout_at(self._deadline):
                await self._response.send_str(text)

    async def receive(self) -> str | bytes | None:
        """The next message; None: the server has ended the conversation.

        Raises:
            CallError: the connection is broken, or time is up.
        """
        with net.translated(self._request):
            async with asyncio.timeout_at(self._deadline):
                message = await self._response.receive()
        if message.type in (aiohttp.WSMsgType.TEXT, aiohttp.WSMsgType.BINARY):
            data: str | bytes = message.data
            return data
        if message.type is aiohttp.WSMsgType.ERROR:
            raise net.Unreachable(f"the connection broke: {message.data}")
        return None


@contextlib.asynccontextmanager
async def connect(http: net.Http, request: net.Request) -> AsyncIterator[Socket]:
    """Open a conversation; the request has an `http` or `https` address, and a deadline.

    Raises:
        Unreachable: no connection, or the server does not speak this protocol here.
        Unusable: the address, a header or the certificate is at fault.
    """
    deadline = asyncio.get_running_loop().time() + request.timeout
    with net.translated(request):
        async with asyncio.timeout_at(deadline):
            response = await http.upgrade(request)
    try:
        yield Socket(response, request, deadline)
    finally:
        await response.close()
