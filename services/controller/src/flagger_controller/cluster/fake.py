"""An in-memory Kubernetes API for tests: `KubeClient` with faults on demand.

The semantics are in `memory`; this module is the client: interleaving, watch streams, a log of
requests, and hooks that let a test fail, or kill the caller, before or after any write.
"""

import asyncio
import copy
import inspect
from collections import Counter
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final, Self, TypeVar

import msgspec

from flagger_controller.cluster.client import (
    ApiError,
    ApiNotFound,
    ApiUnavailable,
    Call,
    Fence,
    Object,
    Page,
    Ref,
    Resource,
    api_error,
)
from flagger_controller.cluster.memory import Memory
from flagger_controller.cluster.pulse import Pulse

BOOKMARK_SECONDS: Final = 60.0

T = TypeVar("T")


class Killed(BaseException):
    """The process of the caller ends here; nothing may catch it."""


@dataclass
class Write:
    """One attempted write."""

    index: int
    verb: str
    """`create`, `update`, `patch` or `delete`."""
    ref: Ref
    body: Object
    subresource: str = ""
    applied: bool = False
    """The server accepted it, whatever the caller heard."""


Hook = Callable[[Write], Awaitable[None] | None]


@dataclass
class Faults:
    """What is wrong with the server at the moment."""

    down: bool = False
    """Every call fails, as with a broken connection."""
    paused: bool = False
    """Watch streams stay open and deliver nothing, not even their end."""
    cut: int = 0
    """Counts how often all streams were cut."""
    missing: set[Resource] = field(default_factory=set)
    """Kinds that are not installed."""
    forbidden: set[Resource] = field(default_factory=set)
    """Kinds that we have no right to."""


class FakeApi:
    """A client of an in-memory cluster; `fenced` makes further clients of the same cluster."""

    def __init__(
        self,
        *,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        collect: bool = True,
    ) -> None:
        self.memory = Memory(now, collect=collect)
        self.faults = Faults()
        self.writes: list[Write] = []
        self.reads: Counter[tuple[str, Resource]] = Counter()
        """Calls by verb (`get`, `list`, `watch`) and kind; a list counts once a page."""
        self._fence: Fence | None = None
        self._before: list[Hook] = []
        self._after: list[Hook] = []
        self._pulse = Pulse()

    # What tests do

    def fenced(self, fence: Fence) -> Self:
        """Another client of the same cluster, whose writes a fence can stop."""
        other = copy.copy(self)
        other._fence = fence
        return other

    def before_write(self, hook: Hook) -> Callable[[], None]:
        """Call a hook before each write takes effect; it may raise. Returns how to remove it."""
        self._before.append(hook)
        return lambda: self._before.remove(hook)

    def after_write(self, hook: Hook) -> Callable[[], None]:
        """Call a hook after each write took effect; if it raises, the reply is lost."""
        self._after.append(hook)
        return lambda: self._after.remove(hook)

    def applied(self, *verbs: str) -> list[Write]:
        """The writes that took effect."""
        return [w for w in self.writes if w.applied and (not verbs or w.verb in verbs)]

    def object(self, ref: Ref) -> Object | None:
        """An object as it is now, unseen by hooks and logs."""
        return self.memory.get(ref) if ref in self.memory.objects else None

    def put(self, ref: Ref, body: Object) -> Object:
        """Write spec and status as somebody else, unseen by hooks and logs."""
        written = self.memory.put(ref, body)
        self._pulse.beat()
        return written

    def remove(self, ref: Ref) -> None:
        """Delete as somebody else, unseen by hooks and logs."""
        self.memory.delete(ref)
        self._pulse.beat()

    def pause_watches(self) -> None:
        """Let all streams fall silent; they look alive."""
        self.faults.paused = True

    def resume_watches(self) -> None:
        """Let the streams deliver again, with everything that they owe."""
        self.faults.paused = False
        self._pulse.beat()

    def break_watches(self) -> None:
        """Cut all streams."""
        self.faults.cut += 1
        self._pulse.beat()

    def compact(self) -> None:
        """Forget the history: watches and list pages from older versions are answered with 410."""
        self.memory.compact()

    # KubeClient

    async def get(self, ref: Ref) -> Object:
        """Read one object."""
        await self._read("get", ref)
        return self.memory.get(ref)

    async def read(
        self, path: str, params: Mapping[str, str] | None = None, *, seconds: float | None = None
    ) -> Object:
        """GET what is no object: there is nothing else here."""
        raise api_error(404, "NotFound", "404 page not found", call=Call("get", path))

    async def list(self, resource: Resource, namespace: str = "") -> list[Object]:
        """Read all objects of a kind."""
        await self._read("list", Ref(resource, "", namespace))
        return self.memory.items(resource, namespace)

    async def create(self, ref: Ref, body: Object) -> Object:
        """Create."""
        write = self._log("create", ref, body)
        return await self._write(write, lambda: self.memory.create(ref, body))

    async def update(self, ref: Ref, body: Object, *, subresource: str = "") -> Object:
        """Replace."""
        write = self._log("update", ref, body, subresource)
        return await self._write(write, lambda: self.memory.update(ref, body, subresource))

    async def patch(self, ref: Ref, patch: Object, *, subresource: str = "") -> Object:
        """Merge."""
        write = self._log("patch", ref, patch, subresource)
        return await self._write(write, lambda: self.memory.patch(ref, patch, subresource))

    async def delete(self, ref: Ref, *, uid: str = "") -> None:
        """Delete."""
        write = self._log("delete", ref, {"uid": uid} if uid else {})
        await self._write(write, lambda: self.memory.delete(ref, uid))

    async def page(
        self,
        resource: Resource,
        namespace: str = "",
        *,
        limit: int = 500,
        token: str = "",
        metadata_only: bool = False,
    ) -> Page:
        """Read one page; the token is `<version>:<offset>`."""
        await self._read("list", Ref(resource, "", namespace))
        version, _, offset = (token or f"{self.memory.version}:0").partition(":")
        if int(version) < self.memory.oldest:
            raise ApiError(410, "Expired", "The provided continue parameter is too old")
        # Pages after the first one show the present, not the version of the token: a test that
        # needs a consistent list over several pages must not write in between.
        found = self.memory.items(resource, namespace)
        start, end = int(offset), int(offset) + limit
        items = [msgspec.json.encode(_shape(body, metadata_only)) for body in found[start:end]]
        return Page(items, version, f"{version}:{end}" if end < len(found) else "")

    @asynccontextmanager
    async def watch(
        self,
        resource: Resource,
        namespace: str = "",
        *,
        version: str,
        seconds: float,
        metadata_only: bool = False,
    ) -> AsyncIterator[AsyncIterator[bytes]]:
        """Stream events."""
        await self._read("watch", Ref(resource, "", namespace))
        if int(version) < self.memory.oldest:
            raise ApiError(410, "Expired", f"too old resource version: {version}")
        stream = self._stream(resource, namespace, int(version), seconds, metadata_only)
        try:
            yield stream
        finally:
            await stream.aclose()

    async def _stream(
        self, resource: Resource, namespace: str, since: int, seconds: float, metadata_only: bool
    ) -> AsyncGenerator[bytes, None]:
        clock = asyncio.get_running_loop().time
        end, mark, cut = clock() + seconds, clock() + BOOKMARK_SECONDS, self.faults.cut
        while True:
            if self.faults.down or self.faults.cut != cut:
                raise ApiUnavailable(0, "Broken", "the connection was lost")
            if not self.faults.paused:
                found, since = self.memory.after(since, resource, namespace), self.memory.version
                for entry in found:
                    yield _event(entry.type, _shape(entry.body, metadata_only))
                if clock() >= end:
                    return
                if clock() >= mark:
                    mark = clock() + BOOKMARK_SECONDS
                    body = {"kind": resource.kind, "apiVersion": resource.api_version}
                    yield _event("BOOKMARK", {**body, "metadata": {"resourceVersion": str(since)}})
                if self.memory.after(since, resource, namespace):
                    continue
            try:
                async with asyncio.timeout_at(None if self.faults.paused else min(end, mark)):
                    await self._pulse.wait()
            except TimeoutError:
                continue

    def _log(self, verb: str, ref: Ref, body: Object, subresource: str = "") -> Write:
        return Write(-1, verb, ref, copy.deepcopy(body), subresource)

    async def _write(self, write: Write, act: Callable[[], T]) -> T:
        await asyncio.sleep(0)  # a request takes time: other tasks may run
        if self._fence is not None:
            self._fence()
        write.index = len(self.writes)
        self.writes.append(write)
        await _call(self._before, write)
        self._check(Call(write.verb, write.ref, write.subresource), write.ref.resource)
        result = act()
        write.applied = True
        self._pulse.beat()
        await _call(self._after, write)
        return result

    async def _read(self, verb: str, ref: Ref) -> None:
        self.reads[verb, ref.resource] += 1
        await asyncio.sleep(0)
        self._check(Call(verb, ref), ref.resource)

    def _check(self, call: Call, resource: Resource) -> None:
        if self.faults.down:
            raise ApiUnavailable(0, "Broken", "the connection was refused")
        if resource in self.faults.missing:
            raise ApiNotFound(404, "NotFound", "the server could not find the requested resource")
        if resource in self.faults.forbidden:
            who = f'User "flagger" cannot {call.verb} resource "{resource.plural}"'
            text = f"{resource.qualified} is forbidden: {who}"
            raise api_error(403, "Forbidden", text, call=call)


async def _call(hooks: "list[Hook]", write: Write) -> None:
    for hook in list(hooks):
        outcome = hook(write)
        if inspect.isawaitable(outcome):
            await outcome


def _event(type_: str, body: Object) -> bytes:
    return msgspec.json.encode({"type": type_, "object": body})


def _shape(body: Object, metadata_only: bool) -> Object:
    if not metadata_only:
        return body
    partial = {"apiVersion": "meta.k8s.io/v1", "kind": "PartialObjectMetadata"}
    return {**partial, "metadata": body["metadata"]}
