"""The Kubernetes API as the rest of the controller sees it; implemented by `http` and `fake`."""

from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, replace
from typing import Any, Final, Protocol

from flagger_controller.cluster.failures import QUIET, TEXTS, Kind, kind_of
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

    @property
    def qualified(self) -> str:
        """`deployments.apps`, or `services` for the core group."""
        return f"{self.plural}.{self.group}" if self.group else self.plural


@dataclass(frozen=True)
class Ref:
    """One object; without a name, every object of the kind in the namespace."""

    resource: Resource
    name: str
    namespace: str = ""

    def __hash__(self) -> int:
        """Cheaper than that of all fields; a name is seldom one of several kinds."""
        return hash((self.name, self.namespace, self.resource.plural))

    @property
    def peers(self) -> "Ref":
        """Every object of this kind in this namespace."""
        return replace(self, name="")

    def covered(self, refs: "Iterable[Ref]") -> "list[Ref]":
        """Those of the objects that this reference stands for."""
        if self.name:
            return [self]
        return [
            ref for ref in refs if ref.namespace == self.namespace and ref.resource == self.resource
        ]

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


@dataclass(frozen=True)
class Call:
    """What the API server is asked to do, in the words of its access rules."""

    verb: str
    """`get`, `list`, `watch`, `create`, `update`, `patch` or `delete`."""
    place: Ref | str
    """An object, a kind (a reference without a name), or a path that is neither."""
    subresource: str = ""

    @property
    def resource(self) -> str:
        """`deployments.apps`, `canaries.flagger.app/status`, or the path."""
        if isinstance(self.place, str):
            return self.place
        return f"{self.place.resource.qualified}{self._tail}"

    @property
    def rule(self) -> str:
        """The rule of a Role that allows it."""
        if isinstance(self.place, str):
            return f'nonResourceURLs: ["{self.place}"], verbs: ["{self.verb}"]'
        kind = self.place.resource
        return (
            f'apiGroups: ["{kind.group}"], resources: ["{kind.plural}{self._tail}"], '
            f'verbs: ["{self.verb}"]'
        )

    @property
    def _tail(self) -> str:
        return f"/{self.subresource}" if self.subresource else ""

    @property
    def fields(self) -> dict[str, str]:
        """Keys of log lines."""
        named = {"verb": self.verb, "resource": self.resource}
        if isinstance(self.place, Ref):
            named |= {"namespace": self.place.namespace, "object": self.place.name}
        return {key: value for key, value in named.items() if value}

    def __str__(self) -> str:
        if isinstance(self.place, str):
            return f"{self.verb} {self.place}"
        namespace, name = self.place.namespace, self.place.name
        if name:
            where = f"{name}.{namespace}" if namespace else name
        else:
            where = f"in {namespace or 'all namespaces'}"
        return f"{self.verb} {self.resource} {where}"


@dataclass(eq=False)
class ApiError(FlaggerError):
    """An answer of the API server that is not a success; make it with `api_error`."""

    status: int
    """HTTP status; 0 when there was no answer."""
    reason: str
    message: str
    retry_after: float = 0.0
    call: Call | None = None
    """What was asked."""

    def __str__(self) -> str:
        if self.call is None:
            return self.message
        return TEXTS[self.kind].format(call=self.call, message=self.message, rule=self.call.rule)

    @property
    def kind(self) -> Kind:
        """What the answer means."""
        return kind_of(self.status, self.reason, self.message)

    @property
    def quiet(self) -> bool:
        """Part of normal life: nobody has to do anything about it."""
        return self.kind in QUIET

    @property
    def fields(self) -> dict[str, Any]:
        """Keys of log lines."""
        named = self.call.fields if self.call else {}
        return {"error": str(self.kind)} | ({"code": self.status} if self.status else {}) | named


class ApiConflict(ApiError, Conflict):
    """409: the resourceVersion is stale, or the object exists already."""


class ApiNotFound(ApiError, NotFound):
    """404: the object, or its whole kind, does not exist."""


class ApiUnauthorized(ApiError, Retriable):
    """401: our credentials are not accepted; new ones are used as soon as they are there."""


class ApiUnavailable(ApiError, Retriable):
    """429, 5xx, a timeout or a broken connection; whether a write took effect is unknown."""


CLASSES: Final[Mapping[Kind, type[ApiError]]] = {
    Kind.UNAUTHORIZED: ApiUnauthorized,
    Kind.FORBIDDEN: ApiError,
    Kind.DENIED: ApiError,
    Kind.TERMINATING: ApiError,
    Kind.NOT_FOUND: ApiNotFound,
    Kind.NOT_SERVED: ApiNotFound,
    Kind.CONFLICT: ApiConflict,
    Kind.EXPIRED: ApiError,
    Kind.INVALID: ApiError,
    Kind.REJECTED: ApiError,
    Kind.BUSY: ApiUnavailable,
    Kind.UNAVAILABLE: ApiUnavailable,
    Kind.TIMEOUT: ApiUnavailable,
    Kind.UNREACHABLE: ApiUnavailable,
    Kind.TLS: ApiUnavailable,
    Kind.DNS: ApiUnavailable,
    Kind.UNREADABLE: ApiUnavailable,
}


def api_error(
    status: int, reason: str, message: str, retry_after: float = 0.0, call: Call | None = None
) -> ApiError:
    """The error that an answer stands for, in the class that decides who handles it."""
    return CLASSES[kind_of(status, reason, message)](status, reason, message, retry_after, call)


class Fenced(FlaggerError):
    """A write was refused on this side, before it was sent: our leadership is not certain."""


Fence = Callable[[], None]
"""Called right before every write; raises `Fenced` to stop it."""


class KubeClient(Protocol):
    """Raw access to objects; every call has a deadline and raises `ApiError`."""

    async def get(self, ref: Ref) -> Object:
        """Read one object, past the cache."""
        ...

    async def read(
        self, path: str, params: Mapping[str, str] | None = None, *, seconds: float | None = None
    ) -> Object:
        """GET what is no object, such as the API of a metrics adapter.

        `seconds`: no further attempt begins after them; None: as for every call.
        """
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
