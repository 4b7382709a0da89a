"""Amazon CloudWatch (metrics.md 9.5), with the AWS SDK: extra `cloudwatch`."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from flagger_controller import net
from flagger_controller.api.base import Object
from flagger_controller.errors import ConfigError
from flagger_controller.metrics import metricdata, sdk, web
from flagger_controller.metrics.base import (
    WINDOW_FACTOR,
    NoValues,
    Setup,
    SourceError,
    SourceTimeout,
    finite,
)

TIMEOUT: Final = 15.0
"""Seconds for a query, with the SDK's own retries."""
_ATTEMPTS: Final = 3
_MOST_POINTS: Final = 20
_EPOCH: Final = datetime.fromtimestamp(0, UTC)
_BAD_REQUEST: Final = 400
_REFUSED: Final = frozenset(
    {
        "AccessDenied",
        "AccessDeniedException",
        "ExpiredToken",
        "ExpiredTokenException",
        "IncompleteSignature",
        "IncompleteSignatureException",
        "InvalidClientTokenId",
        "InvalidSignatureException",
        "MissingAuthenticationToken",
        "MissingAuthenticationTokenException",
        "SignatureDoesNotMatch",
        "UnrecognizedClientException",
    }
)
"""Codes of errors about credentials, which newer protocols send as 400 too."""
_LATE: Final = ("ConnectTimeoutError", "ReadTimeoutError")
"""The SDK's errors that say that there was no answer in time."""


class CloudWatch:
    """Templates of type `cloudwatch`; the query is a JSON array of MetricDataQuery.

    Credentials come from where the AWS SDK looks for them, never from a Secret.
    """

    def __init__(self, setup: Setup) -> None:
        if not setup.provider.region:
            raise ConfigError("region not specified")
        sdk.require("boto3", "cloudwatch")
        self._region = setup.provider.region
        self._seconds = WINDOW_FACTOR * setup.seconds()
        self._setup = setup
        self._client: Any = None

    async def query(self, query: str) -> float:
        """The newest complete value of the first query that returns data (sharp edge M13)."""
        queries = metricdata.decode(query)
        now = self._setup.context.now()
        try:
            reply = await self._ask(
                MetricDataQueries=queries,
                StartTime=self._setup.window(now, self._seconds),
                EndTime=now,
                MaxDatapoints=_MOST_POINTS,
            )
        except TimeoutError as error:
            text = f"error requesting cloudwatch: no answer within {TIMEOUT:g} s"
            raise SourceTimeout(text) from error
        except _sdk_errors() as error:
            late = type(error).__name__ in _LATE
            kind = SourceTimeout if late else SourceError
            raise kind(f"error requesting cloudwatch: {_shown(error)}") from error
        results = reply.get("MetricDataResults") or []
        value = _newest(results[0], now, metricdata.period(queries)) if results else None
        if value is None:
            raise NoValues("invalid response")
        return finite(value)

    async def online(self) -> None:
        """Send a request that is refused for what it asks, if we have the right to ask."""
        try:
            await self._ask(MetricDataQueries=[], StartTime=_EPOCH, EndTime=_EPOCH)
        except TimeoutError as error:
            raise SourceTimeout(f"unexpected error: no answer within {TIMEOUT:g} s") from error
        except _sdk_errors() as error:
            status, code = _status(error)
            if status == _BAD_REQUEST and code not in _REFUSED:
                return
            kind = "status code" if status else "error"
            raise SourceError(f"unexpected {kind}: {_shown(error)}") from error

    async def _ask(self, **parameters: Any) -> Object:
        def call() -> Object:
            if self._client is None:
                self._client = _connect(self._region)
            reply: Object = self._client.get_metric_data(**parameters)
            return reply

        async with asyncio.timeout(TIMEOUT):
            return await sdk.run(call, f"cloudwatch {self._region}")


def _connect(region: str) -> Any:
    """A client; half a second of CPU time the first time."""
    import boto3
    import botocore.config

    config = botocore.config.Config(
        connect_timeout=net.DEFAULT_TIMEOUT,
        read_timeout=net.DEFAULT_TIMEOUT,
        retries={"total_max_attempts": _ATTEMPTS, "mode": "standard"},
    )
    session = boto3.session.Session(region_name=region)
    return session.client("cloudwatch", config=config)


def _sdk_errors() -> tuple[type[Exception], ...]:
    import botocore.exceptions

    return (botocore.exceptions.BotoCoreError, botocore.exceptions.ClientError)


def _status(error: BaseException) -> tuple[int, str]:
    """HTTP status and code of an answer; 0 when there is none."""
    response: Object = getattr(error, "response", None) or {}
    status = response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    return status, response.get("Error", {}).get("Code", "")


def _shown(error: BaseException) -> str:
    return net.shorten(str(error), web.ERROR_LIMIT)


def _newest(result: Object, now: datetime, period: timedelta) -> float | None:
    """The newest value whose period is over, else the newest; they come newest first."""
    values, times = result.get("Values") or [], result.get("Timestamps") or []
    over = [value for value, time in zip(values, times, strict=False) if time + period <= now]
    chosen = (over or values)[:1]
    return float(chosen[0]) if chosen else None
