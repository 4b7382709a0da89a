"""Canaries of other shards: the little that ours need to know of them.

Kept only where a namespace can be in several shards: of two Canaries with the same target the
older one has it, wherever it is ticked.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from flagger_controller.api.base import Object
from flagger_controller.api.canary import Canary


@dataclass(frozen=True)
class Claim:
    """What a Canary has under it, and since when. Of two with the same target the older counts."""

    name: str
    target: tuple[str, str, bool]
    """Kind and name, and whether it is Knative's."""
    created: str
    version: int = 0
    """The resourceVersion of a stranger."""

    @property
    def age(self) -> tuple[str, str]:
        """The smaller, the older."""
        return self.created, self.name


def claim_of(canary: Canary) -> Claim:
    """Of one of our own."""
    target = (canary.spec.target_ref.kind, canary.target, canary.on_knative)
    return Claim(canary.name, target, canary.metadata.creation_timestamp)


class Strangers:
    """Claims by `name.namespace`."""

    def __init__(self) -> None:
        self._claims: dict[str, Claim] = {}
        self._namespaces: dict[str, dict[str, Claim]] = {}

    def see(self, key: str, body: Object, version: int) -> None:
        """One of another shard is like this now. It is not decoded: that is its shard's work."""
        self.drop(key)
        metadata = body["metadata"]
        ref = (body.get("spec") or {}).get("targetRef") or {}
        kind, name = str(ref.get("kind", "")), str(ref.get("name", ""))
        knative = (ref.get("apiVersion"), kind) == ("serving.knative.dev/v1", "Service")
        created = str(metadata.get("creationTimestamp", ""))
        claim = Claim(str(metadata["name"]), (kind, name, knative), created, version)
        self._claims[key] = claim
        self._namespaces.setdefault(_namespace(key), {})[key] = claim

    def drop(self, key: str) -> Claim | None:
        """It is gone, or ours; returns what it was."""
        claim = self._claims.pop(key, None)
        if claim is None:
            return None
        peers = self._namespaces[_namespace(key)]
        del peers[key]
        if not peers:
            del self._namespaces[_namespace(key)]
        return claim

    def newer(self, key: str, version: int) -> bool:
        """Has this Canary been seen in another shard in a version after this one?"""
        claim = self._claims.get(key)
        return claim is not None and claim.version > version

    def within(self, namespace: str) -> Iterator[Claim]:
        """All of a namespace."""
        return iter(self._namespaces.get(namespace, {}).values())

    def keys(self) -> set[str]:
        """All that are known."""
        return set(self._claims)


def _namespace(key: str) -> str:
    return key.rpartition(".")[2]
