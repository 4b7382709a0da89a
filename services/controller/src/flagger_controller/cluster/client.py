"""The Kubernetes API as the rest of the controller sees it; implemented by `http` and `fake`."""

from dataclasses import dataclass
from typing import Any, Protocol

from flagger_controller.errors import Conflict, NotFound, Retriable

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
    """One object."""

    resource: Resource
    name: str
    namespace: str = ""

    def __str__(self) -> str:
        return f"{self.resource.kind} {self.name}.{self.namespace}"


@dataclass
class ApiError(Exception):
    """An answer of the API server that is not a success."""

    status: int
    reason: str
    message: str

    def __str__(self) -> str:
        return self.message


class ApiConflict(ApiError, Conflict):
    """409: the resourceVersion is stale, or the object exists already."""


class ApiNotFound(ApiError, NotFound):
    """404: the object, or its whole kind, does not exist."""


class ApiUnavailable(ApiError, Retriable):
    """429, 5xx, a timeout or a broken connection; whether a write took effect is unknown."""


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
