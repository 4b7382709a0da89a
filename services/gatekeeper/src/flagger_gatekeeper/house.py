"""Keeps the store tidy: a thread that drops what is too old, now and then."""

import datetime
import logging
import random
import threading
from typing import Final

from . import changes, gates, pending
from .store import base

logger = logging.getLogger(__name__)

PAUSE_SECONDS: Final = 900.0
"""Longest pause between two rounds. Random, so that replicas do not come together."""


class Housekeeper:
    """Prunes a store until it is told to stop. Nothing depends on how often it comes."""

    def __init__(self, store: base.GateStore, pause: float = PAUSE_SECONDS) -> None:
        """Wait up to `pause` seconds before each round."""
        self._store = store
        self._pause = pause
        self._stopped = threading.Event()

    def start(self) -> None:
        """Begin, in a thread that does not keep the process alive."""
        threading.Thread(target=self._run, name="housekeeper", daemon=True).start()

    def stop(self) -> None:
        """End before the next round."""
        self._stopped.set()

    def round(self, now: datetime.datetime) -> None:
        """Prune once; a store that is away is left for the next round."""
        try:
            for listed in self._store.find(base.Scope()):
                if pending.is_forgotten(listed.record, now):
                    self._store.update(listed.key, _forgetting(now))
            self._store.prune(now)
        except gates.GateError as error:
            logger.warning("old entries stay for now: %s", error)

    def _run(self) -> None:
        while not self._stopped.wait(random.uniform(0.5, 1) * self._pause):  # noqa: S311
            self.round(datetime.datetime.now(datetime.UTC))


def _forgetting(now: datetime.datetime) -> changes.Transition[None]:
    """Return the transition that removes a record, if nobody has used it meanwhile."""

    def transition(record: gates.GateRecord | None) -> changes.Outcome[None]:
        gone = changes.Change(None) if pending.is_forgotten(record, now) else None
        return changes.Outcome(None, gone)

    return transition
