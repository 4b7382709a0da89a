"""Who may do what in which namespaces, from a file: pure (spec gatekeeper B.4)."""

import dataclasses
import json
from typing import Any, Final, Protocol

from . import access, identity

ALL: Final = "*"


class Authorizer(Protocol):
    """Decides what somebody may do."""

    def allows(self, who: identity.Identity, verb: access.Verb, namespace: str) -> bool:
        """Say whether somebody may do something with the gates of a namespace."""


class Everything:
    """Whoever was recognised may do everything."""

    def allows(self, who: identity.Identity, verb: access.Verb, namespace: str) -> bool:
        """Say yes."""
        del who, verb, namespace
        return True


@dataclasses.dataclass(frozen=True, slots=True)
class Grant:
    """Lets some people do some things in some namespaces; `*` stands for all of them."""

    users: frozenset[str]
    groups: frozenset[str]
    namespaces: frozenset[str]
    verbs: frozenset[str]

    def covers(self, who: identity.Identity, verb: access.Verb, namespace: str) -> bool:
        """Say whether this grant allows it."""
        people = _has(self.users, who.name) or not self.groups.isdisjoint(who.groups)
        return people and _has(self.namespaces, namespace) and _has(self.verbs, verb.value)


class Policy:
    """What no grant allows is refused."""

    def __init__(self, grants: tuple[Grant, ...]) -> None:
        self._grants = grants

    @classmethod
    def parse(cls, text: str) -> "Policy":
        """Read `{"grants": [{"users", "groups", "namespaces", "verbs"}]}`.

        Raises:
            ValueError: it is not of this form, or names an unknown verb.
        """
        try:
            return cls(tuple(map(_grant, json.loads(text)["grants"])))
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"no list of grants: {error!r}") from error

    def allows(self, who: identity.Identity, verb: access.Verb, namespace: str) -> bool:
        """Say whether one of the grants allows it."""
        return any(grant.covers(who, verb, namespace) for grant in self._grants)


def _grant(fields: dict[str, Any]) -> Grant:
    known = {"users", "groups", "namespaces", "verbs"}
    if unknown := fields.keys() - known:
        raise ValueError(f"unknown field {sorted(unknown)[0]!r}; known are {sorted(known)}")
    verbs = _names(fields, "verbs")
    if strange := verbs - {ALL, *access.Verb}:
        raise ValueError(f"unknown verb {sorted(strange)[0]!r}")
    return Grant(
        _names(fields, "users"), _names(fields, "groups"), _names(fields, "namespaces"), verbs
    )


def _names(fields: dict[str, Any], key: str) -> frozenset[str]:
    found = fields.get(key, [])
    if not isinstance(found, list) or not all(isinstance(one, str) for one in found):
        raise ValueError(f"{key} is a list of names")
    return frozenset(found)


def _has(names: frozenset[str], name: str) -> bool:
    return ALL in names or name in names
