"""Splunk Observability (SignalFx): SignalFlow over a web socket (metrics.md 9.11)."""

import json
import re
from typing import Any, Final

from flagger_controller import net, websocket
from flagger_controller.errors import ConfigError
from flagger_controller.metrics import signalflow, web
from flagger_controller.metrics.base import (
    WINDOW_FACTOR,
    NoValues,
    Setup,
    SourceError,
    SourceTimeout,
    finite,
)

TIMEOUT: Final = 15.0
"""Seconds for a computation."""
_CHANNEL: Final = "ch-1"


class Splunk:
    """Templates of type `splunk`; the query is a SignalFlow program.

    Secret: `sf_token_key`.
    """

    def __init__(self, setup: Setup) -> None:
        if not setup.provider.address:
            raise ConfigError("splunk endpoint is not set")
        self._token = setup.credential("sf_token_key")
        self._seconds = WINDOW_FACTOR * setup.seconds()
        self._setup = setup
        address = re.sub("^ws", "http", setup.provider.address.rstrip("/"))
        self.stream = f"{address.replace('api', 'stream', 1)}/v2/signalflow/connect"
        self.api = f"{address.replace('stream', 'api', 1)}/v2/metric"
        self._authority = web.authority(setup.secret)
        self._web = web.Web(
            setup.context.http,
            headers=(("X-SF-Token", self._token),),
            secrets=(self._token,),
            authority=self._authority,
        )

    async def query(self, query: str) -> float:
        """The newest point of the one time series that the program publishes."""
        try:
            points = await self._run(query)
        except net.TimedOut as error:
            raise SourceTimeout(f"error executing query: {error}") from error
        except net.CallError as error:
            raise SourceError(f"error executing query: {self._web.show(str(error))}") from error
        if not points:
            raise NoValues("invalid response")
        if len({series for series, _ in points}) > 1:
            raise SourceError("invalid response: query returned multiple values")
        return finite(points[-1][1])

    async def online(self) -> None:
        """List one metric."""
        self._web.expect_ok(await self._web.get(self.api, {"limit": "1"}))

    async def _run(self, program: str) -> list[signalflow.Point]:
        request = net.Request(
            method="GET", url=self.stream, timeout=TIMEOUT, authority=self._authority
        )
        async with websocket.connect(self._setup.context.http, request) as socket:
            await socket.send(json.dumps({"type": "authenticate", "token": self._token}))
            while (await self._message(socket)).get("type") != "authenticated":
                pass
            await socket.send(json.dumps(self._execution(program)))
            points: list[signalflow.Point] = []
            while not signalflow.ended(message := await self._message(socket)):
                points += message.get(signalflow.POINTS, ())
            return points

    async def _message(self, socket: websocket.Socket) -> signalflow.Message:
        raw = await socket.receive()
        if raw is None:
            raise SourceError(
                "error executing query: the server has closed the connection; is the token valid?"
            )
        try:
            message = signalflow.decode(raw)
        except ValueError as error:
            raise SourceError(f"error executing query: unreadable message: {error}") from error
        if failure := signalflow.failure(message):
            raise SourceError(f"error executing query: {self._web.show(failure)}")
        return message

    def _execution(self, program: str) -> dict[str, Any]:
        stop = self._setup.context.now()
        start = self._setup.window(stop, self._seconds)
        return {
            "type": "execute",
            "channel": _CHANNEL,
            "program": program,
            "start": int(start.timestamp() * 1000),
            "stop": int(stop.timestamp() * 1000),
            "resolution": 0,
            "maxDelay": 0,
            "immediate": True,
            "timezone": "",
        }
