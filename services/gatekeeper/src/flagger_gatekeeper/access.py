"""Who may do what, as the views ask it (spec gatekeeper B.4): values, no Flask."""

import dataclasses
import enum
from collections.abc import Callable
from typing import Protocol

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
    may: Callable[[Verb, str], bool]
    """Whether the caller may do something with the gates of a namespace."""

    def sees(self, namespace: str) -> bool:
        """Say whether the caller may read the gates of a namespace."""
        return self.may(Verb.READ, namespace)


class Admit(Protocol):
    """Lets the sender of the present request do something, or not."""

    def __call__(self, verb: Verb, namespace: str | None, secret: str = "") -> Caller:
        """Return the caller.

        Args:
            verb: what they want to do.
            namespace: where; None: in some namespace, `Caller.may` then tells for each.
            secret: what a payload of the controller carries to show where it comes from.

        Raises:
            RefusedError: they may not.
        """
