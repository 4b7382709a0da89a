"""Objects beside a fleet, and the rate at which they change."""

import itertools
from collections import Counter

import pytest
from bench.scale import unrelated
from bench.tests.scale.server import Server, hands

SLOT = 1 / unrelated.RATE


class Clock:
    """Goes on when somebody rests or works."""

    def __init__(self, *durations: float) -> None:
        self.at = 1000.0
        self.begun: list[float] = []
        self._durations = itertools.chain(durations, itertools.repeat(durations[-1]))

    def now(self) -> float:
        return self.at

    def rest(self, seconds: float) -> None:
        self.at += seconds

    def work(self) -> None:
        self.begun.append(self.at - 1000)
        self.at += next(self._durations)


def test_things_are_spread_over_kinds_and_namespaces() -> None:
    made = unrelated.things(["ours-50-0", "ours-50-1"], 2000)
    assert len({thing.path for thing in made}) == 2000
    assert made[1].path == "/api/v1/namespaces/ours-50-0/configmaps/noise-1"
    collections = Counter(thing.collection for thing in made)
    assert len(collections) == 6
    assert set(collections.values()) == {333, 334}
    # Changing some changes some of all.
    assert len({thing.collection for thing in made[:6]}) == 6


def test_deployments_have_no_pods() -> None:
    first = unrelated.things(["ours-50-0"], 1)[0]
    assert first.path == "/apis/apps/v1/namespaces/ours-50-0/deployments/noise-0"
    assert first.content["spec"]["replicas"] == 0


def test_things_are_made_and_changed_in_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unrelated, "SECONDS", 60.0 / 300)
    server, rests = Server(), list[float]()
    made = unrelated.things(["ours-3-0"], 3)
    with hands(server) as team:
        unrelated.make(team, made)
        changes = unrelated.change(team, made, rests.append)
    posted = {
        f"{path}/{body['metadata']['name']}"
        for (method, path), bodies in server.bodies.items()
        for body in bodies
        if method == "POST"
    }
    patched = [path for method, path in server.asked if method == "PATCH"]
    assert posted == {thing.path for thing in made}
    turns = itertools.cycle(thing.path for thing in made)
    assert patched == list(itertools.islice(turns, changes))
    assert patched
    first = server.bodies["PATCH", made[0].path][0]
    assert first == {"metadata": {"annotations": {"bench/change": "0"}}}


def test_a_minute_of_changes_at_a_steady_rate() -> None:
    clock = Clock(0.01)
    assert unrelated.paced(clock.work, clock.rest, clock.now) == 1200
    assert clock.begun == pytest.approx([number * SLOT for number in range(1200)])
    assert clock.now() == pytest.approx(1060)


def test_slow_changes_are_fewer() -> None:
    clock = Clock(3 * SLOT)
    assert unrelated.paced(clock.work, clock.rest, clock.now) == 400


def test_after_a_pause_there_is_no_burst() -> None:
    clock = Clock(5.01, 0.001)
    assert unrelated.paced(clock.work, clock.rest, clock.now) == 1101
    slots = [int(begun / SLOT + 1e-6) for begun in clock.begun]
    assert slots == [0, *range(100, 1200)]
    assert clock.now() == pytest.approx(1060)
