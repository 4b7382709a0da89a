"""Who may do what, as the views ask it (spec gatekeeper B.4)."""

import dataclasses
import enum
import uuid
from collections.abc import Callable

import flask

from flagger_common import authz

from . import audit


class Verb(enum.StrEnum):
    """What somebody wants to do with the gates of a namespace."""

    CHECK = "check"
    """Ask a gate, and tell that a release ended: what controllers do."""
    READ = "read"
    OPEN = "open"
    CLOSE = "close"
    """Close, forget."""


class RefusedError(Exception):
    """The caller may not do this; nothing was done."""

    def __init__(self, status: int, code: str, error: str) -> None:
        super().__init__(error)
        self.status = status
        self.code = code


@dataclasses.dataclass(frozen=True, slots=True)
class Caller:
    """Somebody who was admitted."""

    by: audit.By
    """For the history."""
    sees: Callable[[str], bool]
    """Whether the caller may read the gates of a namespace."""


Admit = Callable[[Verb, str | None], Caller]
"""Lets the sender of the present request do something in a namespace, or raises `RefusedError`.
None: in some namespace, the caller then asks `sees` for each."""


class Door:
    """Admits everybody to the namespaces that are served."""

    def __init__(self, namespaces: authz.NamespaceRule) -> None:
        self._namespaces = namespaces

    def admit(self, verb: Verb, namespace: str | None) -> Caller:
        """Let the sender of the present request in, see `Admit`."""
        del verb
        if namespace is not None and not self._namespaces.allows(namespace):
            raise RefusedError(403, "forbidden", "this namespace is not served here")
        return Caller(by(), self._namespaces.allows)


def by(actor: str = "") -> audit.By:
    """Return who sends this request. Its id is ours: a caller must not repeat that of another."""
    return audit.By(uuid.uuid4().hex, actor, flask.request.remote_addr or "")
