"""Generations of shards: processes that divide the Canaries in different ways.

Two of them must never act at the same time, as both would have some Canaries. Every candidate
acquires its own Lease first and looks for Leases of other generations then. A list shows whatever
was written before it, so of two candidates at least one sees the Lease of the other, and gives
its own up. Upstream's controller holds the Lease of the generation that is not divided. It does
not look for others.
"""

import logging
from collections.abc import Callable

from flagger_controller.cluster.client import KubeClient
from flagger_controller.cluster.resources import LEASES
from flagger_controller.operator.lease import Sight
from flagger_controller.operator.shards import Shard

logger = logging.getLogger(__name__)


class Others:
    """The Leases of other generations than that of a shard, in one namespace."""

    def __init__(
        self, client: KubeClient, namespace: str, shard: Shard, clock: Callable[[], float]
    ) -> None:
        self._client = client
        self._namespace = namespace
        self._shard = shard
        self._clock = clock
        self._sights: dict[str, Sight] = {}
        self._reported: list[str] = []

    async def gone(self) -> bool:
        """Look now: does nobody of another generation hold a Lease that may not be taken yet?

        Raises:
            ApiError: the Leases cannot be listed, so nobody knows.
        """
        leases = await self._client.list(LEASES, self._namespace)
        found = {lease["metadata"]["name"]: lease for lease in leases}
        clashing = {name for name in found if self._shard.clashes(name)}
        self._sights = {name: self._sights.get(name, Sight(self._clock)) for name in clashing}
        for name, sight in self._sights.items():
            sight.see(found[name])
        held = [name for name, sight in self._sights.items() if not sight.free()]
        self._report(sorted(held))
        return not held

    def _report(self, held: list[str]) -> None:
        """Say once what is waited for."""
        if held and held != self._reported:
            logger.info(
                "Waiting for controllers with another number of shards, which hold: %s",
                ", ".join(f"{name} ({self._sights[name].holder})" for name in held),
            )
        self._reported = held
