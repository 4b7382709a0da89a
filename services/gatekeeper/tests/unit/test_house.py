import datetime
import threading

import pytest

from flagger_gatekeeper import house
from flagger_gatekeeper.store import base, memory

NOW = datetime.datetime(2026, 11, 26, 12, 0, tzinfo=datetime.UTC)


class Store(memory.MemoryStore):
    """Counts the rounds, and is away in every other one."""

    def __init__(self) -> None:
        super().__init__()
        self.rounds: list[datetime.datetime] = []
        self.enough = threading.Event()

    def prune(self, now: datetime.datetime) -> None:
        self.rounds.append(now)
        if len(self.rounds) >= 4:
            self.enough.set()
        if len(self.rounds) % 2:
            raise base.StoreUnavailableError("down")


def test_it_comes_again_and_again_until_it_is_stopped() -> None:
    store = Store()
    keeper = house.Housekeeper(store, pause=0.001)
    keeper.start()
    assert store.enough.wait(60)
    keeper.stop()


def test_a_store_that_is_away_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    store = Store()
    keeper = house.Housekeeper(store)
    keeper.round(NOW)
    keeper.round(NOW)
    assert store.rounds == [NOW, NOW]
    assert [record.getMessage() for record in caplog.records] == ["old entries stay for now: down"]
