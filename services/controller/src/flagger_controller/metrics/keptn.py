"""Keptn: metrics and analyses that are objects of the cluster (metrics.md 9.10)."""

import asyncio
import logging
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from flagger_controller.cluster import resources
from flagger_controller.cluster.client import ApiError, ApiNotFound, Object, Ref
from flagger_controller.metrics.base import (
    Cluster,
    Setup,
    SourceError,
    SourceTimeout,
    finite,
)

logger = logging.getLogger(__name__)

_METRICS: Final = ("keptnmetric", "keptnmetrics")
_ANALYSES: Final = ("analysis", "analyses")
_TIMEFRAME: Final = "1m"
_LABELS: Final = {"app.kubernetes.io/managed-by": "flagger"}
DEADLINE: Final = 10.0
"""Seconds that an analysis has."""
POLL: Final = 1.0
"""Seconds between two looks at it."""


@dataclass(frozen=True)
class Query:
    """What a query asks for."""

    kind: str
    namespace: str
    name: str
    timeframe: str = _TIMEFRAME
    arguments: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def parse(cls, text: str) -> "Query":
        """`<type>/<namespace>/<name>[/<timeframe>[/<key=value;...>]]`, in small letters.

        Raises:
            SourceError: it has another form.
        """
        parts = text.strip().lower().split("/", 4)
        if len(parts) < 3 or parts[0] not in (*_METRICS, *_ANALYSES) or not all(parts[1:3]):
            raise SourceError(
                f'unexpected query "{text.strip()}": write keptnmetric/<namespace>/<name>,'
                " or analysis/<namespace>/<name>/<timeframe>/<key=value;...>"
            )
        given = [pair.split("=") for pair in (parts[4].split(";") if len(parts) > 4 else ())]
        arguments = {pair[0]: pair[1] for pair in given if len(pair) == 2}
        timeframe = parts[3] if len(parts) > 3 and parts[3] else _TIMEFRAME
        return cls(parts[0], parts[1], parts[2], timeframe, arguments)


class Keptn:
    """Templates of type `keptn`; the objects are those of our own cluster."""

    def __init__(self, setup: Setup) -> None:
        self._cluster = setup.context.cluster

    async def query(self, query: str) -> float:
        """The value of a KeptnMetric; of an Analysis 1 if it passes, else 0."""
        parsed = Query.parse(query)
        try:
            if parsed.kind in _METRICS:
                return await _metric(self._cluster, parsed)
            return await _analysis(self._cluster, parsed)
        except ApiError as error:
            raise SourceError(str(error)) from error

    async def online(self) -> None:
        """Ask whether the API of Keptn's metrics is served (sharp edge M32)."""
        try:
            await self._cluster.read(f"/apis/{resources.KEPTN_METRICS.api_version}")
        except ApiError as error:
            raise SourceError(str(error)) from error


async def _metric(cluster: Cluster, query: Query) -> float:
    ref = Ref(resources.KEPTN_METRICS, query.name, query.namespace)
    body = await cluster.get(ref)
    value = (body.get("status") or {}).get("value") or ""
    if not value:
        raise SourceError(f"no value found in resource {ref}")
    try:
        return finite(float(value))
    except (ValueError, TypeError) as error:
        raise SourceError(f"the value of {ref} is no number: {value!r}") from error


async def _analysis(cluster: Cluster, query: Query) -> float:
    """Make an Analysis, wait for its verdict, and delete it whatever happens.

    When the process is killed meanwhile the Analysis stays: it is finished and changes nothing.
    """
    name = f"{query.name}-{secrets.token_hex(3)}"
    ref = Ref(resources.KEPTN_ANALYSES, name, query.namespace)
    spec = {
        "analysisDefinition": {"name": query.name},
        "timeframe": {"recent": query.timeframe},
        "args": dict(query.arguments),
    }
    try:
        async with asyncio.timeout(DEADLINE):
            await cluster.create(ref, {"metadata": {"labels": _LABELS}, "spec": spec})
            status = await _completed(cluster, ref)
    except TimeoutError as error:
        raise SourceTimeout(f"{ref} is not completed after {DEADLINE:g} seconds") from error
    finally:
        await _delete(cluster, ref)
    return 1.0 if status.get("pass") else 0.0


async def _completed(cluster: Cluster, ref: Ref) -> Object:
    while True:
        body = await cluster.get(ref)
        status: Object = body.get("status") or {}
        if status.get("state") == "Completed":
            return status
        await asyncio.sleep(POLL)


async def _delete(cluster: Cluster, ref: Ref) -> None:
    """Nobody but us needs it; that it stays is a pity, and no error of the metric."""
    try:
        await cluster.delete(ref)
    except ApiNotFound:
        return
    except ApiError as error:
        logger.warning("%s stays: %s", ref, error)
