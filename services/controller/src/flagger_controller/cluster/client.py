"""The Kubernetes API as the rest of the controller sees it; implemented by `http` and `fake`."""

from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, replace
from typing import Any, Final, Protocol

from flagger_controller.errors import Conflict, FlaggerError, NotFound, Retriable

Object = dict[str, Any]


@dataclass(frozen=True)
class Resource:
    """A kind as the API server addresses it."""

    group: str
    version: str
    plural: str
    kind: str
    namespaced: bool = True

    @property
    def api_version(self) -> str:
        """`apps/v1`, or `v1` for the core group."""
        return f"{self.group}/{self.version}" if self.group else self.version


@dataclass(frozen=True)
class Ref:
    """One object; without a name, every object of the kind in the namespace."""

    resource: Resource
    name: str
    namespace: str = ""

    @property
    def peers(self) -> "Ref":
        """Every object of this kind in this namespace."""
        return replace(self, name="")

    def covered(self, refs: "Iterable[Ref]") -> "list[Ref]":
        """Those of the objects that this reference stands for."""
        return [self] if self.name else [ref for ref in refs if ref.peers == self]

    def __str__(self) -> str:
        where = f".{self.namespace}" if self.namespace else ""
        return f"{self.resource.kind} {self.name}{where}"


@dataclass(frozen=True)
class Page:
    """A part of a list."""

    items: Sequence[bytes]
    """Objects as JSON; items of built-in kinds carry no apiVersion and kind."""
    version: str
    """The resourceVersion of the whole list, the same on every page."""
    token: str = ""
    """Asks for the next page; empty on the last one."""


_FORBIDDEN: Final = 403


@dataclass(eq=False)
class ApiError(FlaggerError):
    """An answer of the API server that is not a success."""

    status: int
    """HTTP status; 0 when there was no answer."""
    reason: str
    message: str
    retry_after: float = 0.0
    """Seconds that the server asks us to wait."""

    def __str__(self) -> str:
        return self.message

    @property
    def terminating(self) -> bool:
        """The namespace is being deleted, and with it everything in it."""
        return self.status == _FORBIDDEN and "because it is being terminated" in self.message


class ApiConflict(ApiError, Conflict):
    """409: the resourceVersion is stale, or the object exists already."""


class ApiNotFound(ApiError, NotFound):
    """404: the object, or its whole kind, does not exist."""


class ApiUnavailable(ApiError, Retriable):
    """429, 5xx, a timeout or a broken connection; whether a write took effect is unknown."""


class Fenced(FlaggerError):
    """A write was refused on this side, before it was sent: our leadership is not certain."""


Fence = Callable[[], None]
"""Called right before every write; raises `Fenced` to stop it."""


class KubeClient(Protocol):
    """Raw access to objects; every call has a deadline and raises `ApiError`."""

    async def get(self, ref: Ref) -> Object:
        """Read one object, past the cache."""
        ...

    async def list(self, resource: Resource, namespace: str = "") -> list[Object]:
        """Read all objects of a kind, paged."""
        ...

    async def create(self, ref: Ref, body: Object) -> Object:
        """Create; `ApiConflict` when it exists."""
        ...

    async def update(self, ref: Ref, body: Object, *, subresource: str = "") -> Object:
        """Replace; the body carries the resourceVersion that was read."""
        ...

    async def patch(self, ref: Ref, patch: Object, *, subresource: str = "") -> Object:
        """JSON merge patch; put `metadata.resourceVersion` into it as a precondition."""
        ...

    async def delete(self, ref: Ref, *, uid: str = "") -> None:
        """Delete; with a uid only that very object."""
        ...

    async def page(
        self,
        resource: Resource,
        namespace: str = "",
        *,
        limit: int = 500,
        token: str = "",
        metadata_only: bool = False,
    ) -> Page:
        """Read one page of a consistent list; 410 when the token has expired."""
        ...

    def watch(
        self,
        resource: Resource,
        namespace: str = "",
        *,
        version: str,
        seconds: float,
        metadata_only: bool = False,
    ) -> AbstractAsyncContextManager[AsyncIterator[bytes]]:
        """Stream watch events (JSON documents) after a version; the server ends it in time.

        Raises `ApiError` on entering (410 when the version is too old) and while streaming.
        """
        ...
