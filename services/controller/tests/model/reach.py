"""Watches every write: none of them may send requests to where no pods are (I1, I2)."""

from flagger_controller.cluster.fake import Write

from . import kubelet
from .invariants import available
from .process import PROVIDER
from .rig import CANARY, Rig
from .traffic import splits


class Reach:
    """Compares where requests get to before and after each write.

    What was wrong before a write is not its fault: the pods of a version can die at any time, and a
    route of several objects is put right one after the other.
    """

    def __init__(self, rig: Rig) -> None:
        self._rig = rig
        self._before: set[str] = set()
        rig.api.before_write(self._remember)
        rig.api.after_write(self._look)

    def _remember(self, write: Write) -> None:
        self._before = self._wrong()

    def _look(self, write: Write) -> None:
        made = self._wrong() - self._before
        assert not made, f"after {write.verb} {write.ref}: {', '.join(sorted(made))}"

    def _wrong(self) -> set[str]:
        """What a client can run into; without an analysis nobody waits for pods."""
        if self._rig.api.object(CANARY) is None or self._rig.canary.skip_analysis:
            return set()
        canary = self._rig.canary
        pods = {
            canary.primary_service: self._serves(primary=True),
            canary.canary_service: self._serves(primary=False),
        }
        found: set[str] = set()
        for rule in splits(self._rig.api, canary, canary.spec.provider or PROVIDER):
            if sum(rule.values()) != 100:
                found.add(f"I1: {rule}")
            taken = {name for name, weight in rule.items() if weight}
            found.update(f"I2: requests to {name}" for name in taken if not pods.get(name))
        return found if any(pods.values()) else set()

    def _serves(self, *, primary: bool) -> bool:
        """Has a version pods that are not about to be taken away?"""
        ref = self._rig.workload(primary=primary)
        body = self._rig.api.object(ref)
        if body is None or not available(self._rig, primary=primary):
            return False
        return ref.resource not in kubelet.WORKLOADS or kubelet.wanted(body) > 0
