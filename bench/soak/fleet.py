"""The life of a fleet: most applications rest, some are released, and some go and others come."""

import asyncio
import itertools
import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from bench.scale.objects import PER_NAMESPACE, Member, canary, deployment
from bench.soak.cluster import Cluster

from flagger_controller.cluster import resources
from flagger_controller.cluster.client import Ref

SEED: Final = 1
ARRIVAL: Final = 600.0
"""Virtual seconds in which the first members come, one after the other."""
FIRST_PUSH: Final = 60.0
"""Virtual seconds after which a new member gets its first revision, as all the others had one."""
CUT_OFF: Final = 25.0
"""Virtual seconds after which a newer revision comes in the middle of a release."""


@dataclass(frozen=True)
class Life:
    """How much happens; means, in virtual seconds."""

    push: float = 14_400.0
    """Between two revisions of a member."""
    member: float = 20_000.0
    """Until a member is deleted and another one takes its place."""
    namespace: float = 80_000.0
    """Until a namespace is deleted, with all that is in it."""
    bad: float = 0.2
    """Share of revisions whose metric fails, so that they are rolled back."""
    hasty: float = 0.1
    """Share of revisions that are cut off by another one."""
    reverting: float = 0.2
    """Share of Canaries that hand the traffic back when they are deleted."""


class Fleet:
    """So many applications under Canaries, always other ones."""

    def __init__(self, cluster: Cluster, size: int, life: Life) -> None:
        self.broken: set[Member] = set()
        """Members with a bad revision."""
        self.pushed = 0
        """Revisions so far."""
        self.deleted = 0
        """Members that are gone."""
        self._cluster = cluster
        self._size = size
        self._life = life
        self._random = random.Random(SEED)  # noqa: S311 (no secret)
        self._members: dict[str, list[Member]] = {}
        """By namespace."""
        self._numbers = itertools.count()

    async def arrive(self) -> None:
        """Create the first members."""
        namespace = ""
        for number in range(self._size):
            if number % PER_NAMESPACE == 0:
                namespace = self._new_namespace()
            self._create(namespace)
            await asyncio.sleep(ARRIVAL / self._size)

    async def live(self) -> None:
        """Release, delete and create until cancelled."""
        life, namespaces = self._life, len(self._members)
        async with asyncio.TaskGroup() as group:
            for mean, act in (
                (life.push / self._size, self._push_any),
                (life.member / self._size, self._replace_any),
                (life.namespace / namespaces, self._replace_namespace),
            ):
                group.create_task(self._now_and_then(mean, act))

    def leave(self) -> None:
        """Delete everything."""
        for namespace in list(self._members):
            self._end_namespace(namespace)

    async def _now_and_then(self, mean: float, act: Callable[[], None]) -> None:
        while True:
            await asyncio.sleep(self._random.expovariate(1 / mean))
            act()

    def _any(self) -> Member:
        """A member; all namespaces have about as many."""
        return self._random.choice(self._members[self._random.choice(list(self._members))])

    def _push_any(self) -> None:
        member = self._any()
        self._push(member)
        if self._random.random() < self._life.hasty:
            asyncio.get_running_loop().call_later(CUT_OFF, self._push, member)

    def _push(self, member: Member) -> None:
        if member not in self._members.get(member.namespace, ()):
            return  # deleted meanwhile
        self.pushed += 1
        self.broken.discard(member)
        if self._random.random() < self._life.bad:
            self.broken.add(member)
        self._cluster.put(_target(member), deployment(member, self.pushed))

    def _replace_any(self) -> None:
        member = self._any()
        self._members[member.namespace].remove(member)
        self._delete(member)
        self._create(member.namespace)

    def _replace_namespace(self) -> None:
        members = self._end_namespace(self._random.choice(list(self._members)))
        namespace = self._new_namespace()
        for _ in members:
            self._create(namespace)

    def _new_namespace(self) -> str:
        name = f"soak-{next(self._numbers)}"
        self._cluster.namespaces.add(name)
        self._members[name] = []
        return name

    def _end_namespace(self, name: str) -> list[Member]:
        """Delete a namespace; returns who lived there."""
        members = self._members.pop(name)
        self._cluster.ending.add(name)
        for member in members:
            self._delete(member)
        return members

    def _create(self, namespace: str) -> None:
        member = Member(namespace, f"app-{next(self._numbers)}")
        self._members[namespace].append(member)
        body = canary(member)
        body["spec"]["revertOnDeletion"] = self._random.random() < self._life.reverting
        self._cluster.put(_target(member), deployment(member, 0))
        self._cluster.put(Ref(resources.CANARIES, member.name, namespace), body)
        asyncio.get_running_loop().call_later(FIRST_PUSH, self._push, member)

    def _delete(self, member: Member) -> None:
        self.deleted += 1
        self.broken.discard(member)
        self._cluster.remove(Ref(resources.CANARIES, member.name, member.namespace))
        self._cluster.remove(_target(member))


def _target(member: Member) -> Ref:
    return Ref(resources.DEPLOYMENTS, member.name, member.namespace)
