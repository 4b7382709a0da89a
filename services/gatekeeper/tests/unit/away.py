"""A store that is away."""

from typing import Any

from flagger_gatekeeper import gates
from flagger_gatekeeper.store import base, memory


class AwayStore(memory.MemoryStore):
    """Answers nothing."""

    def read(self, key: gates.GateKey) -> gates.GateRecord | None:
        raise base.StoreUnavailableError("down")

    def update(self, *_: Any, **__: Any) -> Any:
        raise base.StoreUnavailableError("down")

    def find(self, scope: base.Scope) -> list[base.Listed]:
        raise base.StoreUnavailableError("down")
