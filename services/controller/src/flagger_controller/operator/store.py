"""The newest known objects of our three kinds, fed by the watch and by our own writes."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from typing import Final

from flagger_controller.api.alertprovider import AlertProvider
from flagger_controller.api.base import Object
from flagger_controller.api.canary import Canary
from flagger_controller.api.metrictemplate import MetricTemplate
from flagger_controller.operator.strangers import Claim, Strangers, claim_of

_IDENTITY: Final = ("name", "namespace", "uid", "resourceVersion")


@dataclass(frozen=True)
class _Entry:
    canary: Canary
    body: Object
    version: int
    claim: Claim
    """Kept, as each tick compares it with those of all neighbours."""


class CanaryStore:
    """Canaries by `name.namespace`; an older version never replaces a newer one."""

    def __init__(self) -> None:
        self._entries: dict[str, _Entry] = {}
        self._namespaces: dict[str, dict[str, _Entry]] = {}
        """The same by namespace: each tick looks at its neighbours, and at nobody else."""
        self.rejected: dict[str, tuple[Object, str]] = {}
        """Objects that cannot be decoded, and why."""
        self.strangers = Strangers()
        """Those of other shards."""

    def get(self, key: str) -> tuple[Canary, Object] | None:
        """A Canary, and status and version of what it was decoded from; None: it is not known."""
        entry = self._entries.get(key)
        return None if entry is None else (entry.canary, entry.body)

    def put(self, body: Object) -> tuple[Canary, Object]:
        """Take over an object, and return the newest one, as `get` does.

        One that has moved to another shard while a write of ours was under way is not kept.

        Raises:
            pydantic.ValidationError: the object cannot be decoded; the one before is dropped, as
                nothing may be done for a Canary by what it no longer says.
        """
        key, version = key_of(body), version_of(body)
        known = self._entries.get(key)
        if known is None or version > known.version:
            self.remove(key)
            canary = Canary.from_api(body)
            known = _Entry(canary, _kept(body), version, claim_of(canary))
            if self.strangers.newer(key, version):
                return known.canary, known.body
            self._entries[key] = known
            self._namespaces.setdefault(known.canary.namespace, {})[key] = known
        return known.canary, known.body

    def knows(self, body: Object) -> bool:
        """Is this version, or a newer one, here already?"""
        known = self._entries.get(key_of(body))
        if known is None or _uid(body) != _uid(known.body):
            return False
        return known.version >= version_of(body)

    def remove(self, key: str) -> Canary | None:
        """Forget a Canary; returns what it was."""
        self.rejected.pop(key, None)
        entry = self._entries.pop(key, None)
        if entry is None:
            return None
        peers = self._namespaces[entry.canary.namespace]
        del peers[key]
        if not peers:
            del self._namespaces[entry.canary.namespace]
        return entry.canary

    def rival(self, canary: Canary) -> str:
        """Name of an older Canary with the same target; empty when there is none."""
        own = claim_of(canary)
        entries = self._namespaces.get(canary.namespace, {}).values()
        claims = chain((e.claim for e in entries), self.strangers.within(canary.namespace))
        older = [each for each in claims if each.target == own.target and each.age < own.age]
        return min(older, key=lambda claim: claim.age).name if older else ""

    def holds(self, key: str) -> bool:
        """Is this one of ours, decodable or not?"""
        return key in self._entries or key in self.rejected

    def keys(self) -> set[str]:
        """All of ours, decodable or not."""
        return {*self._entries, *self.rejected}

    def count(self, namespace: str) -> int:
        """Canaries in a namespace."""
        return len(self._namespaces.get(namespace, ()))

    def within(self, namespace: str) -> list[Canary]:
        """All Canaries of a namespace."""
        return [entry.canary for entry in self._namespaces.get(namespace, {}).values()]

    def __iter__(self) -> Iterator[Canary]:
        return iter([entry.canary for entry in self._entries.values()])


class TemplateStore:
    """MetricTemplates and AlertProviders by namespace and name."""

    def __init__(self) -> None:
        self.templates: dict[tuple[str, str], MetricTemplate] = {}
        self.providers: dict[tuple[str, str], AlertProvider] = {}


def key_of(body: Object) -> str:
    """`name.namespace`."""
    metadata = body["metadata"]
    return f"{metadata['name']}.{metadata.get('namespace', '')}"


def version_of(body: Object) -> int:
    """The resourceVersion as a number, which API servers guarantee to grow."""
    return int(body["metadata"].get("resourceVersion") or 0)


def _kept(body: Object) -> Object:
    """What a status write needs of it; all else is in the decoded Canary, or nobody's business."""
    metadata = {key: body["metadata"][key] for key in _IDENTITY if key in body["metadata"]}
    return {"metadata": metadata, "status": body.get("status") or {}}


def _uid(body: Object) -> str:
    return str(body["metadata"].get("uid", ""))
