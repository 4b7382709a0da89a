"""Any spec at any moment: never an unexpected error, and in the end what a fresh install gives."""

import re
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import initialize, rule

from flagger_controller.api.status import Phase
from flagger_controller.cluster import resources
from flagger_controller.cluster.client import Object
from flagger_controller.rollout import conditions
from flagger_controller.rollout.case import ACTIVE

from .fresh import differences, installed
from .invariants import blocked
from .machine import Machine, play
from .rig import CANARY
from .specs import aimed, damaged, odd, valid
from .targets import KINDS


class Specs(Machine):
    """Users who write all kinds of specs."""

    @initialize(spec=valid(), mistake=st.none() | odd() | damaged())
    def install(self, spec: Object, mistake: Object | None) -> None:
        """Perhaps with a mistake at first."""
        self.last = aimed(spec, self.kind)
        if mistake is None:
            self.create(self.last)
        else:
            wrong = aimed(mistake, self.kind)
            self.check_refusal("", Phase.NEW, lambda: self.create(wrong))
            self.edit(spec)
        for _ in range(3):
            self.rest()

    @rule(spec=valid())
    def edit(self, spec: Object) -> None:
        self.last = aimed(spec, self.kind)
        self.respec(self.last)
        self.rest()
        if self.calm:
            assert not blocked(self.rig.status), f"refused: {self.told()}"

    @rule(spec=odd() | damaged())
    def spoil(self, spec: Object) -> None:
        wanted = aimed(spec, self.kind)
        self.check_refusal(self.told(), self.rig.status.phase, lambda: self.respec(wanted))

    def check_refusal(self, before: str, phase: Phase, act: Callable[[], None]) -> None:
        """A refused spec is told once, naming its field, and changes nothing."""
        writes, said = len(self.rig.api.writes), self.said()
        act()
        for _ in range(2):
            self.rest()
            if not (self.calm and blocked(self.rig.status)):
                return
        written = {write.ref for write in self.rig.api.writes[writes:]}
        assert written <= {CANARY}, f"refused, and yet written: {written}"
        text = self.told()
        assert FIELD.search(text), text
        times = (self.said() - said)[text]
        assert phase in ACTIVE or times == (text != before), f"said {times} times: {text}"

    def told(self) -> str:
        """Why the Canary is refused."""
        found = [c.message for c in self.rig.status.conditions if c.type == conditions.READY]
        return found[0].replace(".default", "") if found else ""

    def said(self) -> Counter[str]:
        """How often each warning was said."""
        events = self.rig.events.memory.items(resources.EVENTS, "")
        rejections = {event["message"]: event["count"] for event in events}
        return Counter(self.rig.log.warnings) + Counter(rejections)

    def end(self) -> None:
        self.respec(self.last)
        super().end()
        fresh: list[Any] = []

        async def install() -> None:
            fresh.append(await installed(self.last, self.kind, "final"))

        self.do(install())
        found = differences(self.rig, fresh[0])
        assert not found, "not what a fresh installation gives:\n" + "\n".join(found)


FIELD = re.compile(r"spec\.\w+|provider|cookie|target|autoscaler")


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_any_spec(kind: str) -> None:
    play(Specs, kind)
