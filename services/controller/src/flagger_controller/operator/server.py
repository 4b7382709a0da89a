"""HTTP endpoints of the controller: health and metrics (telemetry.md section 1)."""

import logging
from collections.abc import Awaitable, Callable
from typing import Final

from aiohttp import web

logger = logging.getLogger(__name__)

LARGE: Final = 32_768
"""Bytes of a page that is compressed beside the event loop."""


class Server:
    """Serves `/healthz`, `/readyz` and `/metrics` on all interfaces."""

    def __init__(
        self,
        port: int,
        *,
        metrics: Callable[[], Awaitable[bytes]],
        content_type: str,
        ready: Callable[[], bool],
    ) -> None:
        self._port = port
        self._metrics = metrics
        self._content_type = content_type
        self._ready = ready
        self._runner: web.AppRunner | None = None

    async def start(self) -> None:
        """Listen; raises OSError when the port is taken."""
        app = web.Application()
        app.router.add_route("*", "/healthz", self._healthz)
        app.router.add_route("*", "/readyz", self._readyz)
        app.router.add_route("*", "/metrics", self._show)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=3)
        await self._runner.setup()
        await web.TCPSite(self._runner, port=self._port).start()
        logger.info("Starting HTTP server on port %d", self._port)

    async def stop(self) -> None:
        """Finish the requests under way and stop."""
        if self._runner is not None:
            await self._runner.cleanup()
            logger.info("HTTP server stopped")

    async def _healthz(self, request: web.Request) -> web.Response:
        return web.Response(text="OK")

    async def _readyz(self, request: web.Request) -> web.Response:
        if self._ready():
            return web.Response(text="OK")
        return web.Response(status=503, text="the watch of canaries has not started yet")

    async def _show(self, request: web.Request) -> web.Response:
        page = web.Response(
            body=await self._metrics(),
            headers={"Content-Type": self._content_type},
            zlib_executor_size=LARGE,
        )
        page.enable_compression()  # where the client asks for it
        return page
