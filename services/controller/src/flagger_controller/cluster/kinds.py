"""Which reflectors run for one kind: one a namespace, or one for all when there are many.

A reflector that takes over from another one (because the number of namespaces changed) does so
only when it knows at least as much, so that readers never go back in time.
"""

import asyncio
import logging
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

from flagger_controller.cluster.client import Resource
from flagger_controller.cluster.watch import Reflector

logger = logging.getLogger(__name__)

EVERYWHERE = ""


@dataclass
class Running:
    """A reflector and the task that keeps it up to date."""

    reflector: Reflector
    task: asyncio.Task[None]


class Kind:
    """All that is watched of one kind."""

    def __init__(
        self,
        resource: Resource,
        *,
        start: Callable[[Resource, str], Running],
        stop: Callable[[Running], None],
        on_switch: Callable[[str, Reflector, Reflector], None],
        most: int | None,
    ) -> None:
        self.resource = resource
        self._start = start
        self._stop = stop
        self._on_switch = on_switch
        self._most = most
        """Namespaces to watch one by one; None: never watch all at once."""
        self._holds: Counter[str] = Counter()
        self._running: dict[str, Running] = {}
        self._serving: dict[str, str] = {}
        """Namespace -> scope of the reflector that answers for it."""
        self._wide = False
        self._moving = False
        """Some namespaces are answered for by a reflector that is to be replaced."""

    @property
    def scopes(self) -> set[str]:
        """The namespaces with a reflector; empty string: all of them."""
        return set(self._running)

    def hold(self, namespace: str) -> None:
        """Watch a namespace until it was dropped as often as it was held."""
        self._holds[namespace] += 1
        if self._holds[namespace] == 1:
            self.adjust()

    def drop(self, namespace: str) -> None:
        """Take back one `hold`."""
        self._holds[namespace] -= 1
        if self._holds[namespace] <= 0:
            del self._holds[namespace]
            self.adjust()

    def serving(self, namespace: str) -> Reflector | None:
        """The reflector that answers for a namespace."""
        scope = self._serving.get(namespace, self._serving.get(EVERYWHERE))
        return None if scope is None else self._running[scope].reflector

    def progressed(self) -> None:
        """A reflector knows more: perhaps it can take over now."""
        if self._moving:
            self.adjust()

    def adjust(self) -> None:
        """Start what is missing, hand over what is ready, stop what nobody needs."""
        if self._most is not None:
            # Going back needs a clear reason: not one namespace more or less, again and again.
            enough = self._most // 2 if self._wide else self._most
            self._wide = EVERYWHERE in self._holds or len(self._holds) > enough
        for scope in {self._scope(namespace) for namespace in self._holds} - self.scopes:
            self._running[scope] = self._start(self.resource, scope)
        for namespace in self._serving.keys() - self._holds.keys():
            del self._serving[namespace]
        for namespace in self._holds:
            self._hand_over(namespace)
        needed = {self._scope(namespace) for namespace in self._holds}
        for scope in self.scopes - needed - set(self._serving.values()):
            self._stop(self._running.pop(scope))
        self._moving = any(scope != self._scope(place) for place, scope in self._serving.items())

    def _hand_over(self, namespace: str) -> None:
        target = self._scope(namespace)
        present = self._serving.setdefault(namespace, target)
        if present == target:
            return
        old, new = self._running[present].reflector, self._running[target].reflector
        if new.synced and new.version >= old.version:
            self._serving[namespace] = target
            logger.debug("watch of %s in %s moved", self.resource.plural, namespace)
            self._on_switch(namespace, old, new)

    def _scope(self, namespace: str) -> str:
        return EVERYWHERE if self._wide else namespace
