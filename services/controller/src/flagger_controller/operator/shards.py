"""Shards: which of several processes a Canary belongs to. Pure.

A namespace is a group of Canaries, and never split; with a label, its value is the group. A group
belongs to the shard with the highest hash (rendezvous hashing), so that with one shard more some
groups move to the new one, and none between the others. The hashes are the same everywhere and in
every version: processes of two versions must agree.
"""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

LEASE_NAME: Final = "flagger-leader-election"
"""Upstream's Lease: whoever holds it has all Canaries."""
MOST: Final = 256
"""Shards: each costs a hash for each event."""
AUTO: Final = "auto"
_LEASE: Final = re.compile(rf"{LEASE_NAME}(-\d+-of-\d+(-by-[0-9a-f]{{8}})?)?")
_FLAG: Final = re.compile(rf"({AUTO}|\d{{1,9}})/(\d{{1,9}})")
_ORDINAL: Final = re.compile(r".*-(\d{1,9})")
_LABEL: Final = re.compile(
    r"([a-z0-9]([-.a-z0-9]{0,251}[a-z0-9])?/)?[A-Za-z0-9]([-._A-Za-z0-9]{0,61}[A-Za-z0-9])?"
)


@dataclass(frozen=True)
class Shard:
    """A part of the Canaries; by default all of them."""

    index: int = 0
    """From 0 to `count - 1`."""
    count: int = 1
    """How many parts there are, from 1 to `MOST`."""
    label: str = ""
    """Key of the label whose value is the group of a Canary that carries it; empty: none."""

    def owns(self, metadata: Mapping[str, Any]) -> bool:
        """Whether a Canary with this metadata belongs to this shard."""
        return self.count == 1 or placed(self._group(metadata), self.count) == self.index

    @property
    def splits_namespaces(self) -> bool:
        """Canaries of one namespace can be in several shards, and move."""
        return self.count > 1 and bool(self.label)

    @property
    def lease(self) -> str:
        """Name of the Lease whose holder ticks this shard."""
        return self._lease_of(self.index)

    def clashes(self, lease: str) -> bool:
        """Whether the Canaries under a Lease may be ours while this shard does not say so.

        So it is with another number of shards, or another label; not with our own peers.
        """
        return _LEASE.fullmatch(lease) is not None and lease not in self._generation

    def __str__(self) -> str:
        by = f" by the label {self.label}" if self.label else ""
        return f"{self.index} of {self.count}{by}"

    @cached_property
    def _generation(self) -> frozenset[str]:
        return frozenset(map(self._lease_of, range(self.count)))

    def _lease_of(self, index: int) -> str:
        if self.count == 1:
            return LEASE_NAME
        by = f"-by-{hashlib.sha256(self.label.encode()).hexdigest()[:8]}" if self.label else ""
        return f"{LEASE_NAME}-{index}-of-{self.count}{by}"

    def _group(self, metadata: Mapping[str, Any]) -> str:
        labels = metadata.get("labels") or {}
        return str(labels.get(self.label) or metadata.get("namespace", ""))


WHOLE: Final = Shard()
"""All Canaries."""


def placed(group: str, count: int) -> int:
    """The shard of a group, from 0 to `count - 1`."""
    return max(range(count), key=lambda index: hashlib.sha256(f"{index}/{group}".encode()).digest())


def parse(text: str, label: str = "", pod: str = "") -> Shard:
    """The shard that flags name.

    Args:
        text: `i/n`, or `auto/n` for the number at the end of the Pod's name modulo n, so that
            several Pods can stand for one shard; empty: all Canaries.
        label: key of the label that groups Canaries.
        pod: name of the Pod.

    Raises:
        ValueError: it names no shard; says what to write instead.
    """
    if not text:
        if label:
            raise ValueError("-shard-label needs -shard, such as -shard=0/2")
        return WHOLE
    if not (found := _FLAG.fullmatch(text)):
        raise ValueError(f'"{text}" is no shard: write index/count, such as 0/2, or auto/2')
    index, count = found[1], int(found[2])
    if not 1 <= count <= MOST:
        raise ValueError(f'"{text}": the count of shards must be from 1 to {MOST}')
    if label and not _LABEL.fullmatch(label):
        raise ValueError(f'-shard-label "{label}" is not the key of a label')
    number = _ordinal(pod) % count if index == AUTO else int(index)
    if number >= count:
        raise ValueError(f'"{text}": with {count} shards the last one is {count - 1}/{count}')
    return Shard(number, count, label)


def _ordinal(pod: str) -> int:
    found = _ORDINAL.fullmatch(pod)
    if found is None:
        raise ValueError(
            f'"{AUTO}" needs POD_NAME with a number at its end, as Pods of a StatefulSet have it; '
            f'it is "{pod}"'
        )
    return int(found[1])
