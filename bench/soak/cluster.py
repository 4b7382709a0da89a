"""The cluster of a soak: an API server in memory that forgets, and the controllers around it.

What grows here would hide what grows in the controller. So the history of versions, old Events and
the log of requests are bounded, as they are on a real server.
"""

import asyncio
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final

from services.controller.tests.model import kubelet

from flagger_controller.cluster import resources
from flagger_controller.cluster.client import Call, Object, Ref, api_error
from flagger_controller.cluster.fake import FakeApi, Write

LATENCY: Final = 0.01
"""Virtual seconds that a write takes to get to the server: others act meanwhile."""
STARTING: Final = 2.0
"""Virtual seconds until the pods of a Deployment are what it asks for."""
PAUSE: Final = 60.0
"""Virtual seconds between two rounds of housekeeping."""
HISTORY: Final = 120.0
"""Virtual seconds for which old versions are kept: twice as long as between two bookmarks."""
EVENT_TTL: Final = timedelta(minutes=10)
"""An hour on real servers; sooner here, as each object in memory makes every round longer."""
OUTAGE: Final = 3 * 3600.0
"""Virtual seconds between two restarts of the server, without its history."""


class Cluster:
    """One API server, its garbage collector, and the controller of Deployments."""

    def __init__(self, now: Callable[[], datetime]) -> None:
        self.api = FakeApi(now=now, collect=False)
        self.namespaces: set[str] = set()
        self.ending: set[str] = set()
        """Those of them that are being deleted: nothing new is let in."""
        self._now = now
        self.api.before_write(self._admit)
        self.api.after_write(self._notice)

    async def run(self) -> None:
        """Keep house until cancelled."""
        marks: list[int] = []
        rounds = 0
        while True:
            await asyncio.sleep(PAUSE)
            rounds += 1
            self.sweep()
            marks.append(self.api.memory.version)
            if len(marks) > HISTORY / PAUSE:
                self.api.memory.compact(marks.pop(0))
            if rounds % (OUTAGE / PAUSE) == 0:
                self.api.compact()
                self.api.break_watches()

    def put(self, ref: Ref, body: Object) -> None:
        """Write as a user."""
        self.api.put(ref, body)
        self._start_pods(ref)

    def remove(self, ref: Ref) -> None:
        """Delete as a user, what is there."""
        if ref in self.api.memory.objects:
            self.api.remove(ref)

    def sweep(self) -> None:
        """Delete what nobody owns any more and what is too old, and forget what was asked."""
        self.api.writes.clear()
        objects = self.api.memory.objects
        alive = {body["metadata"]["uid"] for body in objects.values()}
        limit = (self._now() - EVENT_TTL).strftime("%Y-%m-%dT%H:%M:%SZ")
        for ref, body in list(objects.items()):
            metadata = body["metadata"]
            owners = [owner["uid"] for owner in metadata.get("ownerReferences", ())]
            orphan = owners and alive.isdisjoint(owners)
            old = ref.resource == resources.EVENTS and metadata["creationTimestamp"] < limit
            if orphan or old or ref.namespace not in self.namespaces:
                self.api.remove(ref)
        inhabited = {ref.namespace for ref in objects if ref.resource == resources.CANARIES}
        self.namespaces -= self.ending - inhabited
        self.ending &= self.namespaces

    async def _admit(self, write: Write) -> None:
        await asyncio.sleep(LATENCY)
        place = write.ref.namespace
        if write.verb != "create" or (place in self.namespaces and place not in self.ending):
            return
        call = Call(write.verb, write.ref)
        if place in self.ending:
            text = f"unable to create in namespace {place} because it is being terminated"
            raise api_error(403, "Forbidden", text, call=call)
        raise api_error(404, "NotFound", f'namespaces "{place}" not found', call=call)

    def _notice(self, write: Write) -> None:
        self._start_pods(write.ref)

    def _start_pods(self, ref: Ref) -> None:
        if ref.resource == resources.DEPLOYMENTS:
            asyncio.get_running_loop().call_later(STARTING, self._run_pods, ref)

    def _run_pods(self, ref: Ref) -> None:
        body = self.api.object(ref)
        if body is None:
            return
        status = kubelet.status(ref.resource, body, since="", now=self._now())
        if status != body.get("status"):
            self.api.put(ref, {**body, "status": status})
