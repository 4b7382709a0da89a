"""A small soak, and one with leaks."""

import pytest
from bench.soak import play, report, verdict
from bench.soak.fleet import Life
from bench.soak.verdict import SAMPLES

from flagger_controller.api.canary import Canary
from flagger_controller.cluster.events import EventRecorder
from flagger_controller.operator.wiring import Engine

LIFE = Life(push=3_600, member=3_000, namespace=12_000)
SIZE, TICKS = 20, 1_200


def test_a_small_fleet_leaves_nothing_behind() -> None:
    told: list[str] = []
    found = play.run(SIZE, TICKS, LIFE, told.append)
    assert found.troubles == []
    assert [sample.ticks for sample in found.samples] == sorted(s.ticks for s in found.samples)
    first, last = found.samples[0], found.samples[-1]
    assert told[-1] == f"{last.ticks} of {TICKS} ticks"
    assert last.ticks >= TICKS
    assert last.revisions > first.revisions + SIZE, "members are released all the time"
    assert last.deleted > first.deleted + SIZE, "members go and come all the time"
    assert {sample.files for sample in found.samples} == {first.files}
    assert report.samples(found.samples)


def test_leaks_are_found_and_named(monkeypatch: pytest.MonkeyPatch) -> None:
    kept: list[object] = []

    def told(_: str) -> None:
        kept.extend(object() for _ in range(20_000))

    def forget(engine: Engine, key: str, canary: Canary | None) -> None:
        engine.pool.forget(key)
        engine.cache.unwatch(key)

    monkeypatch.setattr(Engine, "forget", forget)
    found = play.run(SIZE, TICKS, LIFE, told)
    (blocks, *_) = verdict.grown(verdict.slopes(found.samples))
    assert blocks.startswith("blocks grow by ")
    names = {text.split()[0] for text in found.troubles}
    assert {"Engine._ticks", "Recorder._status", "Progress._phases"} <= names
    assert len(kept) == 20_000 * (SAMPLES + 1)


def test_errors_that_nobody_expected_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(EventRecorder, "_remember", lambda self, key, written: 1 / 0)
    found = play.run(5, 400, LIFE, lambda text: None)
    (trouble,) = found.troubles
    assert "unexpected errors, the first: event about Canary app-0.before is lost" in trouble


def test_a_soak_that_is_over_before_the_fleet_is_at_rest_says_so() -> None:
    with pytest.raises(play.Unfinished, match="ask for more --ticks, or fewer --canaries"):
        play.run(5, 50, LIFE, lambda text: None)
