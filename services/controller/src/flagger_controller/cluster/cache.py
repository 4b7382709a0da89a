"""The watch cache: what canaries refer to, never older than our own last write.

Reflectors run only for the kinds and namespaces that somebody is interested in. Objects come out
as fresh copies. A reader that must not see the time before its own writes calls `caught_up`.
"""

import asyncio
from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass

import msgspec

from flagger_controller.cluster.client import ApiNotFound, KubeClient, Object, Ref, Resource
from flagger_controller.cluster.expectations import Expectations
from flagger_controller.cluster.kinds import Kind, Running
from flagger_controller.cluster.resources import METADATA_ONLY
from flagger_controller.cluster.slim import Entry, slim
from flagger_controller.cluster.watch import Reflector, WatchSettings
from flagger_controller.errors import Retriable


class NotSynced(Retriable):
    """The cache cannot say yet whether an object exists."""


@dataclass(frozen=True)
class Change:
    """An object was created, changed or deleted."""

    ref: Ref
    old: str | None
    """resourceVersion before; None: there was no such object."""
    new: str | None
    """resourceVersion now; None: it is gone."""
    own: bool = False
    """We wrote this very version ourselves."""


class Cache:
    """What the reflectors know. Use it inside a running event loop and `close` it."""

    def __init__(
        self,
        client: KubeClient,
        *,
        restricted: bool = False,
        on_change: Callable[[Hashable, Change], None] = lambda key, change: None,
        settings: WatchSettings | None = None,
        most_namespaces: int = 20,
        linger: float = 30.0,
    ) -> None:
        self._client = client
        self._most = None if restricted else most_namespaces
        """A controller that is restricted to namespaces may not list the whole cluster."""
        self._linger = linger
        """Seconds for which objects stay known that nobody refers to any more: those who learn
        what they refer to step by step, again and again, must not start and stop reflectors."""
        self._timers: set[asyncio.TimerHandle] = set()
        self._notify = on_change
        self._settings = settings
        self._kinds: dict[Resource, Kind] = {}
        self._interests: dict[Hashable, frozenset[Ref]] = {}
        self._watchers: dict[Ref, set[Hashable]] = {}
        self._written: dict[Ref, int] = {}
        self._expectations = Expectations(self._serving)
        self._data: dict[Ref, Entry] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    async def close(self) -> None:
        """Stop all reflectors."""
        for timer in self._timers:
            timer.cancel()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    # Who is interested in what

    def watch(self, refs: Iterable[Ref], key: Hashable) -> None:
        """Say what a canary refers to now; changes of these objects are reported with its key.

        Of a reference without a name those are reported that come, go, or get another spec.
        What it does not refer to any more is no longer reported, but stays known for a while.
        """
        new, old = frozenset(refs), self._interests.get(key, frozenset())
        if new == old:
            return
        for ref in new - old:
            self._watchers.setdefault(ref, set()).add(key)
            self.ensure(ref.resource, ref.namespace)
        for ref in old - new:
            self._watchers[ref].discard(key)
            if not self._watchers[ref]:
                del self._watchers[ref]
            self._let_go_later(ref)
        if new:
            self._interests[key] = new
        else:
            self._interests.pop(key, None)

    def watch_too(self, refs: Iterable[Ref], key: Hashable) -> None:
        """Say a part of what a canary refers to, before the rest of it is known."""
        self.watch(self._interests.get(key, frozenset()).union(refs), key)

    def unwatch(self, key: Hashable) -> None:
        """A canary is gone."""
        self.watch((), key)

    def ensure(self, resource: Resource, namespace: str = "") -> None:
        """Watch a kind in a namespace, or in all, until `release` was called as often."""
        if resource not in self._kinds:
            self._kinds[resource] = Kind(
                resource,
                start=self._start,
                stop=self._stop,
                on_switch=self._switched,
                most=self._most if resource.namespaced else None,
            )
        self._kinds[resource].hold(namespace)

    def release(self, resource: Resource, namespace: str = "") -> None:
        """Take back one `ensure`."""
        self._kinds[resource].drop(namespace)

    async def synced(self, refs: Iterable[Ref], seconds: float = 30.0) -> None:
        """Wait until the cache can answer for these objects.

        Raises:
            NotSynced: it cannot yet.
            ApiError: the server refuses to let us watch them; somebody has to grant it.
        """
        serving = {self._reflector(ref) for ref in refs}
        pending = [each for each in serving if not each.answers]
        if not pending:
            return
        try:
            async with asyncio.timeout(seconds):
                for reflector in pending:
                    await reflector.ready()
        except TimeoutError:
            problems = "; ".join(sorted({_problem(r) for r in pending if not r.synced}))
            raise NotSynced(f"watch cache not ready: {problems}") from None

    def refusals(self, key: Hashable) -> list[str]:
        """Why some of what a canary refers to may not be watched; sorted."""
        serving = {self._serving(ref) for ref in self._interests.get(key, ())}
        return sorted(str(each.refusal) for each in serving if each and each.refusal)

    async def confirm(self, refs: Iterable[Ref]) -> None:
        """Ask the API about objects that the cache lacks, and wait until it shows those it has.

        Watches of different kinds deliver in any order: what was created before a Canary may
        arrive after it.

        Raises:
            Retriable: the API cannot be asked, or the cache stays behind.
        """
        await self.refresh([ref for ref in refs if self.get(ref) is None])

    async def refresh(self, refs: Iterable[Ref]) -> None:
        """Ask the API about objects, and wait until the cache is not older than the answers.

        A stream that delivers nothing looks like a cluster in which nothing happens; one that is
        found out in this way is given up.

        Raises:
            Retriable: the API cannot be asked, or the cache stays behind.
        """
        asked = list(refs)
        for ref in asked:
            try:
                body = await self._client.get(ref)
            except ApiNotFound:
                if self.get(ref) is not None:
                    self._expectations.deleted(ref, "")
                continue
            self._expectations.wrote(ref, int(body["metadata"]["resourceVersion"]))
        await self.caught_up(asked)

    # Reading

    def get(self, ref: Ref) -> Object | None:
        """A fresh copy of an object, or None; metadata only for ConfigMaps and Secrets."""
        return self._answering(ref).get(ref)

    def version(self, ref: Ref) -> str:
        """The resourceVersion that `get` would return; empty when there is no such object."""
        entry = self._answering(ref).entry(ref)
        return "" if entry is None else str(entry.version)

    def refs(self, resource: Resource, namespace: str) -> list[Ref]:
        """All objects of a kind in a watched namespace (empty: in all of them)."""
        return list(self._answering(Ref(resource, "", namespace)).refs(namespace))

    async def data(self, ref: Ref) -> Object | None:
        """A ConfigMap or Secret with its data, read from the API when its version changed."""
        if ref.resource not in METADATA_ONLY:
            return self.get(ref)
        entry = self._answering(ref).entry(ref)
        if entry is None:
            return None
        kept = self._data.get(ref)
        if kept is None or kept.uid != entry.uid or kept.version < entry.version:
            try:
                kept = self._keep(ref, await self._client.get(ref))
            except ApiNotFound:
                return None
        return kept.decoded()

    def keep(self, ref: Ref, body: Object) -> None:
        """Remember a ConfigMap or Secret that was just written: `data` need not read it."""
        if ref.resource in METADATA_ONLY:
            self._keep(ref, body)

    # Reading our own writes

    def wrote(self, ref: Ref, resource_version: str) -> None:
        """Record the version that the API server gave to a write of ours."""
        version = int(resource_version)
        if ref in self._watchers or ref.peers in self._watchers:
            self._written[ref] = version
        self._expectations.wrote(ref, version)

    def deleted(self, ref: Ref, uid: str = "") -> None:
        """Record that we deleted an object."""
        self._expectations.deleted(ref, uid)

    async def caught_up(self, refs: Iterable[Ref], seconds: float = 10.0) -> None:
        """Wait until the cache shows our last write of each object; raises `CacheStale`."""
        await self._expectations.caught_up(refs, seconds)

    # Reflectors

    def _start(self, resource: Resource, scope: str) -> Running:
        reflector = Reflector(
            self._client,
            resource,
            scope,
            metadata_only=resource in METADATA_ONLY,
            on_change=lambda ref, old, new: self._changed(reflector, ref, old, new),
            on_progress=lambda: self._progressed(resource),
            settings=self._settings,
        )
        task = asyncio.create_task(reflector.run(), name=f"watch {resource.plural} {scope}")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return Running(reflector, task)

    def _stop(self, running: Running) -> None:
        running.task.cancel()

    def _changed(
        self, reflector: Reflector, ref: Ref, old: Entry | None, new: Entry | None
    ) -> None:
        if self._serving(ref) is reflector:
            self._report(ref, old, new)

    def _switched(self, namespace: str, old: Reflector, new: Reflector) -> None:
        before, after = old.refs(namespace), new.refs(namespace)
        for ref in before.keys() | after.keys():
            was, now = before.get(ref), after.get(ref)
            if (was and was.version) != (now and now.version):
                self._report(ref, was, now)

    def _report(self, ref: Ref, old: Entry | None, new: Entry | None) -> None:
        own = new is not None and self._written.get(ref) == new.version
        change = Change(ref, _version(old), _version(new), own)
        keys = set(self._watchers.get(ref, ()))
        if old is None or new is None or old.generation != new.generation:
            keys |= self._watchers.get(ref.peers, set())
        for key in keys:
            self._notify(key, change)

    def _progressed(self, resource: Resource) -> None:
        self._kinds[resource].progressed()
        self._expectations.settle(resource)

    def _serving(self, ref: Ref) -> Reflector | None:
        kind = self._kinds.get(ref.resource)
        return kind.serving(ref.namespace) if kind else None

    def _reflector(self, ref: Ref) -> Reflector:
        reflector = self._serving(ref)
        if reflector is None:
            raise NotSynced(f"{ref} is not watched")
        return reflector

    def _answering(self, ref: Ref) -> Reflector:
        reflector = self._reflector(ref)
        if not reflector.synced:
            raise NotSynced(f"watch cache not ready: {_problem(reflector)}")
        return reflector

    def _keep(self, ref: Ref, body: Object) -> Entry:
        _, entry = slim(msgspec.json.encode(body))
        if ref in self._watchers:
            self._data[ref] = entry
        return entry

    def _let_go_later(self, ref: Ref) -> None:
        def let_go() -> None:
            self._timers.discard(timer)
            self.release(ref.resource, ref.namespace)
            if ref not in self._watchers:
                for each in ref.covered(self._written):
                    self._written.pop(each, None)
                self._data.pop(ref, None)
                self._expectations.forget(ref)

        timer = asyncio.get_running_loop().call_later(self._linger, let_go)
        self._timers.add(timer)


def _version(entry: Entry | None) -> str | None:
    return None if entry is None else str(entry.version)


def _problem(reflector: Reflector) -> str:
    reason = reflector.problem or "the first list is not complete"
    return f"{reflector.resource.plural}: {reason}"
