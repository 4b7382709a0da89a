"""Keys of an issuer: who waits for the network, and who does not."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from flagger_gatekeeper import keys
from flagger_gatekeeper.store import base

PATIENCE = 30.0


class Issuer:
    """Answers when it is told to, on a clock that is set by hand."""

    def __init__(self) -> None:
        self.now = 0.0
        self.asked = 0
        self.looks = threading.Semaphore(0)
        """Released by each look at the clock, which comes behind the look at what is known."""
        self.answer: Callable[[], dict[str, str]] = lambda: {"one": "key"}

    def fetch(self) -> dict[str, str]:
        self.asked += 1
        return self.answer()

    def fail(self) -> dict[str, str]:
        raise base.StoreUnavailableError("away")

    def keys(self) -> keys.Keys[str]:
        return keys.Keys(self.fetch, self.clock)

    def clock(self) -> float:
        self.looks.release()
        return self.now


class Hurdle:
    """Holds a fetch until it is opened."""

    def __init__(self, then: Callable[[], dict[str, str]]) -> None:
        self._then = then
        self.reached = threading.Event()
        self.opened = threading.Event()

    def __call__(self) -> dict[str, str]:
        self.reached.set()
        assert self.opened.wait(PATIENCE)
        return self._then()


def test_keys_are_fetched_again_when_they_are_old() -> None:
    issuer = Issuer()
    known = issuer.keys()
    for now, asked in [(0, 1), (keys.FRESH_SECONDS - 1, 1), (keys.FRESH_SECONDS, 2)]:
        issuer.now = now
        assert known.find("one") == "key"
        assert issuer.asked == asked
    issuer.answer = lambda: {"two": "other"}
    issuer.now *= 2
    assert known.find("one") is None, "it was taken back"


def test_an_unknown_key_is_looked_for_rarely() -> None:
    issuer = Issuer()
    known = issuer.keys()
    for now, asked in [(0, 1), (keys.COOLDOWN_SECONDS - 1, 1), (keys.COOLDOWN_SECONDS, 2)]:
        issuer.now = now
        assert known.find("unknown") is None
        assert issuer.asked == asked


def test_known_keys_do_not_wait_for_the_network() -> None:
    issuer = Issuer()
    known = issuer.keys()
    assert known.find("one") == "key"
    hurdle = Hurdle(lambda: {"one": "new key"})
    issuer.answer = hurdle
    issuer.now = keys.FRESH_SECONDS
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(known.find, "one")
        try:
            assert hurdle.reached.wait(PATIENCE)
            assert pool.submit(known.find, "one").result(PATIENCE) == "key"
            assert not first.done()
        finally:
            hurdle.opened.set()
        assert first.result(PATIENCE) == "new key"
    assert issuer.asked == 2


def test_an_issuer_that_is_away_vouches_for_nobody_for_long() -> None:
    issuer = Issuer()
    known = issuer.keys()
    assert known.find("one") == "key"
    issuer.now = keys.FRESH_SECONDS + keys.FETCHING_SECONDS
    hurdle = Hurdle(issuer.fail)
    issuer.answer = hurdle
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(known.find, "one")
        try:
            assert hurdle.reached.wait(PATIENCE)
            issuer.looks = threading.Semaphore(0)
            second = pool.submit(known.find, "one")
            assert issuer.looks.acquire(timeout=PATIENCE)
        finally:
            hurdle.opened.set()
        for one in (first, second):
            with pytest.raises(base.StoreUnavailableError, match="away"):
                one.result(PATIENCE)
    assert issuer.asked == 2, "whoever has waited shares the failure"
    issuer.answer = lambda: {"one": "key"}
    assert known.find("one") == "key", "it is back"
