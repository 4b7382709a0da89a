"""Deployments without pods: a process that writes into them what their controller would.

On a small machine a release keeps those who make pods busy for longer than the controller that is
measured, and little of the machine is left for it.
"""

import argparse
import asyncio
import pathlib
from datetime import UTC, datetime
from typing import Final

from flagger_controller.cluster import login, resources
from flagger_controller.cluster.client import ApiNotFound, KubeClient, Object, Ref
from flagger_controller.cluster.http import HttpClient, HttpSettings
from flagger_controller.cluster.slim import Entry
from flagger_controller.cluster.watch import Reflector

STARTING: Final = 0.3
"""Seconds that pods take to get ready; those of the fake nodes need 0.1 at best."""
NO_LIMIT: Final = 0.0


class Rollouts:
    """Follows the Deployments of all namespaces, and rolls each of them out at once."""

    def __init__(self, client: KubeClient) -> None:
        self._client = client
        self._seen = Reflector(client, resources.DEPLOYMENTS, on_change=self._changed)
        self._newest: dict[Ref, int] = {}
        """Generations that are rolled out, or about to be."""
        self._tasks = asyncio.TaskGroup()

    async def run(self) -> None:
        """Work until cancelled, or until the API server fails."""
        async with self._tasks:
            await self._seen.run()

    def _changed(self, ref: Ref, old: Entry | None, new: Entry | None) -> None:
        if new is None:
            self._newest.pop(ref, None)
        elif self._newest.get(ref, 0) < new.generation:
            self._newest[ref] = new.generation
            spec = new.decoded()["spec"]
            self._tasks.create_task(self._roll_out(ref, new.generation, spec))

    async def _roll_out(self, ref: Ref, generation: int, spec: Object) -> None:
        """Two changes of the status, where the real controller makes four or five.

        Without any pod to start there is one.
        """
        for ready in (False, True) if spec["replicas"] else (True,):
            if self._newest.get(ref) != generation:
                return  # another one has begun, or it was deleted
            body = {"status": status(spec, generation, ready=ready)}
            try:
                await self._client.patch(ref, body, subresource="status")
            except ApiNotFound:
                return
            await asyncio.sleep(STARTING)


def status(spec: Object, generation: int, *, ready: bool) -> Object:
    """Return the status of a Deployment whose new pods are ready, or about to be.

    Pods that served before go on until then.
    """
    wanted = int(spec["replicas"])
    counts = ("replicas", "updatedReplicas", "readyReplicas", "availableReplicas")
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    reasons = {
        "Available": "MinimumReplicasAvailable",
        "Progressing": "NewReplicaSetAvailable" if ready else "ReplicaSetUpdated",
    }
    conditions = [
        {"type": kind, "status": "True", "reason": reason, "lastUpdateTime": now}
        for kind, reason in reasons.items()
    ]
    told: Object = {"observedGeneration": generation, "conditions": conditions}
    return told | (dict.fromkeys(counts, wanted) if ready else {"updatedReplicas": 0})


async def main() -> None:
    """Work until the process is ended."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kubeconfig", type=pathlib.Path, required=True)
    options = parser.parse_args()
    client = HttpClient(login.from_kubeconfig(options.kubeconfig), HttpSettings(qps=NO_LIMIT))
    try:
        await Rollouts(client).run()
    finally:
        await client.close()


if __name__ == "__main__":
    asyncio.run(main())
