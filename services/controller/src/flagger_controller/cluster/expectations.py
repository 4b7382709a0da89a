"""Read your writes: what the watch cache must show before it is newer than our own writes.

Within one kind resourceVersions grow, and a watch delivers in their order; so a cache that has
shown any version from ours on has shown our write, whatever happened to the object since.
"""

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from flagger_controller.cluster.client import Ref, Resource
from flagger_controller.cluster.watch import Reflector
from flagger_controller.errors import Retriable


class CacheStale(Retriable):
    """The cache does not show our own last write yet."""


@dataclass
class _Expectation:
    """One object that we wrote; a deletion is shown when the object is gone or going."""

    at: float
    """Loop time of the answer to our write; a list begun later shows a deletion for sure."""
    version: int = 0
    gone: bool = False
    uid: str = ""
    shown: asyncio.Event = field(default_factory=asyncio.Event)

    def met(self, reflector: Reflector | None, ref: Ref) -> bool:
        if reflector is None:
            return True
        # A list that does not reach up to our version is of a server that is behind, for a while.
        if reflector.listed_at > self.at + (reflector.disbelief if self.version else 0):
            return True
        if reflector.version < self.version:
            return False
        entry = reflector.entry(ref)
        if not self.gone or entry is None:
            return True
        return entry.deleting or bool(self.uid and entry.uid != self.uid)


class Expectations:
    """All writes that the cache does not show yet."""

    def __init__(self, serving: Callable[[Ref], Reflector | None]) -> None:
        self._serving = serving
        self._expected: dict[Ref, _Expectation] = {}

    def wrote(self, ref: Ref, version: int) -> None:
        """We created or changed an object."""
        self._expect(ref, version, gone=False, uid="")

    def deleted(self, ref: Ref, uid: str) -> None:
        """We deleted an object; the API server's answer names no version."""
        reflector = self._serving(ref)
        entry = reflector.entry(ref) if reflector else None
        self._expect(ref, 0, gone=True, uid=uid or (entry.uid if entry else ""))

    def settle(self, resource: Resource) -> None:
        """The cache of a kind has advanced."""
        for ref in [ref for ref in self._expected if ref.resource == resource]:
            self._settle(ref)

    def forget(self, ref: Ref) -> None:
        """Nobody is interested any more."""
        for each in ref.covered(self._expected):
            if (expected := self._expected.pop(each, None)) is not None:
                expected.shown.set()

    async def caught_up(self, refs: Iterable[Ref], seconds: float) -> None:
        """Wait until the cache shows our last write of each object; raises `CacheStale`."""
        every = [each for ref in refs for each in ref.covered(self._expected)]
        waiting = {ref: self._expected[ref] for ref in every if ref in self._expected}
        if not waiting:
            return
        try:
            async with asyncio.timeout(seconds):
                for expected in waiting.values():
                    await expected.shown.wait()
        except TimeoutError:
            late = [ref for ref, expected in waiting.items() if not expected.shown.is_set()]
            for ref in late:
                if (reflector := self._serving(ref)) is not None:
                    reflector.relist()  # the stream may be dead without our knowing
            names = ", ".join(str(ref) for ref in late)
            raise CacheStale(f"the watch does not show our last write of {names} yet") from None

    def _expect(self, ref: Ref, version: int, *, gone: bool, uid: str) -> None:
        if self._serving(ref) is None:
            return
        now = asyncio.get_running_loop().time()
        expected = self._expected.setdefault(ref, _Expectation(now))
        expected.at, expected.gone, expected.uid = now, gone, uid
        expected.version = max(version, expected.version)
        self._settle(ref)

    def _settle(self, ref: Ref) -> None:
        expected = self._expected.get(ref)
        if expected is not None and expected.met(self._serving(ref), ref):
            del self._expected[ref]
            expected.shown.set()
