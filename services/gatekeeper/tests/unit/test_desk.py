import datetime
from typing import TypeVar

import prometheus_client

from flagger_gatekeeper import audit, changes, checks, desk, gates
from flagger_gatekeeper.store import base, memory

T = TypeVar("T")

NOW = datetime.datetime(2026, 11, 26, 12, 0, tzinfo=datetime.UTC)
SECOND = datetime.timedelta(seconds=1)
KEY = gates.GateKey("test", "podinfo")


class CountingStore(memory.MemoryStore):
    """Counts writes; refuses them while it is told to."""

    def __init__(self) -> None:
        super().__init__()
        self.writes = 0
        self.writable = True

    def update(
        self, key: gates.GateKey, transition: changes.Transition[T], *, repair: bool = False
    ) -> T:
        if not self.writable:
            raise base.StoreUnavailableError("read-only")
        self.writes += 1
        return super().update(key, transition, repair=repair)


def front(store: base.GateStore) -> desk.Desk:
    return desk.Desk(store, desk.Counters(prometheus_client.CollectorRegistry()), desk.Rules())


def ask(at: desk.Desk, seconds: int = 0, key: gates.GateKey = KEY) -> bool:
    question = checks.Question(audit.By(str(seconds)), "Waiting", "7c9d467496")
    return at.check(key, question, NOW + seconds * SECOND).approved


def waiting(store: base.GateStore) -> gates.Pending:
    found = store.read(KEY)
    assert found is not None
    assert found.pending is not None
    return found.pending


def test_what_waits_is_written_rarely_and_counted_fully() -> None:
    store = CountingStore()
    one = front(store)
    for seconds in range(0, 61, 10):
        assert not ask(one, seconds)
    assert store.writes == 3
    request = waiting(store)
    assert (request.count, request.interval) == (7, 10.0)
    assert request.first_seen == NOW


def test_a_check_that_changes_nothing_writes_nothing() -> None:
    store = CountingStore()
    one = front(store)
    one.change(
        KEY,
        audit.Action.OPEN,
        changes.setting(changes.Wish(gates.State.OPEN), audit.By("open"), NOW),
    )
    assert all(ask(one, seconds) for seconds in range(100))
    rollback = gates.GateKey("test", "podinfo", gates.ROLLBACK)
    assert not any(ask(one, seconds, rollback) for seconds in range(100))
    assert store.writes == 1


def test_a_refused_check_is_refused_when_it_cannot_be_remembered() -> None:
    store = CountingStore()
    store.writable = False
    assert ask(front(store)) is False
    assert store.read(KEY) is None


def test_invented_canaries_do_not_fill_the_store() -> None:
    store = CountingStore()
    one = front(store)
    for number in range(1000):
        assert not ask(one, 0, gates.GateKey("test", f"invented-{number}"))
    assert store.writes < 500
