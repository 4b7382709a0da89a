"""Canaries of other shards: nothing is done about them, also when they come and go."""

from dataclasses import dataclass, field
from typing import Any

import pytest

from flagger_controller.api.base import Object
from flagger_controller.api.canary import Canary
from flagger_controller.operator.handlers import Feed
from flagger_controller.operator.shards import Shard, placed
from flagger_controller.operator.store import CanaryStore, TemplateStore

from .bodies import broken, canary, template

KEY = "cart.shop"
SHARD = Shard(placed("shop", 2), 2)
"""Has the namespace `shop`."""
OTHER = Shard(1 - SHARD.index, 2)
OURS = next(name for name in "abcdefgh" if placed(name, 2) == SHARD.index)
THEIRS = next(name for name in "abcdefgh" if placed(name, 2) == OTHER.index)
"""Teams, the values of a label."""


@dataclass
class Bench:
    """The feed of a shard and everything it told."""

    shard: Shard
    canaries: CanaryStore = field(default_factory=CanaryStore)
    woken: list[str] = field(default_factory=list)
    gone: list[tuple[str, str]] = field(default_factory=list)
    counts: dict[str, int] = field(default_factory=dict)
    feed: Feed = field(init=False)

    def __post_init__(self) -> None:
        self.feed = Feed(
            self.canaries,
            TemplateStore(),
            wake=self.woken.append,
            gone=self._gone,
            counted=self.counts.__setitem__,
            shard=self.shard,
        )

    def _gone(self, key: str, canary: Canary | None) -> None:
        self.gone.append((key, canary.target if canary else ""))

    @property
    def quiet(self) -> bool:
        """Nothing was done about anything."""
        return not (self.woken or self.gone or self.counts or self.canaries.keys())


class Undecodable(dict[str, Any]):
    """An object of which only the metadata may be read."""

    def __getitem__(self, key: str) -> Any:
        assert key == "metadata", f"{key} was read"
        return super().__getitem__(key)


def owned(name: str = "cart", team: str = OURS, **parts: Any) -> Object:
    return canary(name, labels={"team": team}, **parts)


@pytest.fixture
def by_label() -> Bench:
    return Bench(Shard(SHARD.index, 2, "team"))


def test_one_of_two_shards_takes_it() -> None:
    ours, theirs = Bench(SHARD), Bench(OTHER)
    for bench in (ours, theirs):
        bench.feed.canary("ADDED", canary())
    assert ours.woken == [KEY]
    assert ours.counts == {"shop": 1}
    assert theirs.quiet


@pytest.mark.parametrize("kind", [None, "ADDED", "MODIFIED", "DELETED"])
def test_foreign_ones_are_not_looked_at_and_cost_nothing(
    kind: str | None, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    bench = Bench(OTHER)
    bench.feed.canary(kind, Undecodable(canary()))
    bench.feed.canary(kind, Undecodable(broken()))
    assert bench.quiet
    assert bench.canaries.strangers.keys() == set()
    assert caplog.messages == []


def test_templates_are_everybodys_and_wake_ones_own() -> None:
    metrics = [{"name": "m", "templateRef": {"name": "errors"}}]
    for shard, woken in ((SHARD, [KEY]), (OTHER, [])):
        bench = Bench(shard)
        bench.feed.canary("ADDED", canary(analysis={"stepWeight": 10, "metrics": metrics}))
        bench.woken.clear()
        bench.feed.template("ADDED", template())
        assert bench.woken == woken


# Moves


def test_one_that_moves_away_is_forgotten_at_once(
    by_label: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    by_label.feed.canary("ADDED", owned(version=5))
    by_label.feed.canary("ADDED", owned("two", version=5))
    by_label.feed.canary("MODIFIED", owned(version=6, team=THEIRS))
    assert by_label.gone == [(KEY, "cart")]
    assert by_label.canaries.keys() == {"two.shop"}
    assert by_label.counts == {"shop": 1}
    assert caplog.messages == [f"{KEY} belongs to another shard now"]


def test_one_that_cannot_be_decoded_moves_too(by_label: Bench) -> None:
    by_label.feed.canary("ADDED", {**broken(), "metadata": owned()["metadata"]})
    assert by_label.canaries.rejected.keys() == {KEY}
    by_label.feed.canary("MODIFIED", owned(version=6, team=THEIRS))
    assert by_label.canaries.keys() == set()


def test_one_that_moves_here_is_taken_up(by_label: Bench) -> None:
    by_label.feed.canary("ADDED", owned(version=5, team=THEIRS))
    assert by_label.quiet
    by_label.feed.canary("MODIFIED", owned(version=6))
    assert by_label.woken == [KEY]
    assert by_label.counts == {"shop": 1}
    assert by_label.canaries.strangers.keys() == set()


def test_there_and_back(by_label: Bench) -> None:
    for version, team in ((5, OURS), (6, THEIRS), (7, OURS)):
        by_label.feed.canary("MODIFIED", owned(version=version, team=team))
    assert by_label.canaries.keys() == {KEY}
    assert by_label.woken == [KEY] * 2


def test_the_answer_to_a_late_write_does_not_bring_it_back(by_label: Bench) -> None:
    """The write came before the move, and its answer is seen after it."""
    by_label.feed.canary("ADDED", owned(version=5))
    by_label.feed.canary("MODIFIED", owned(version=7, team=THEIRS))
    decoded, _ = by_label.canaries.put(owned(version=6))
    assert decoded.key == KEY
    assert by_label.canaries.get(KEY) is None
    assert by_label.canaries.keys() == set()


def test_one_that_moved_and_was_deleted_is_gone_once(by_label: Bench) -> None:
    by_label.feed.canary("ADDED", owned(version=5))
    by_label.feed.canary("DELETED", owned(version=6, team=THEIRS))
    assert by_label.gone == [(KEY, "cart")]
    assert by_label.counts == {"shop": 0}
    assert by_label.canaries.strangers.keys() == set()


# Rivals


def test_an_older_one_of_another_shard_keeps_its_target(by_label: Bench) -> None:
    younger, _ = by_label.canaries.put(owned("young", created="2026-05-02T12:00:00Z"))
    assert by_label.canaries.rival(younger) == ""
    by_label.feed.canary("ADDED", owned("old", team=THEIRS))
    assert by_label.canaries.rival(younger) == "old"


@pytest.mark.parametrize(
    "other",
    [
        {"created": "2026-05-03T12:00:00Z"},
        {"target": "other"},
        {"namespace": "market"},
        {"targetRef": {"apiVersion": "apps/v1", "kind": "DaemonSet", "name": "cart"}},
    ],
)
def test_others_of_another_shard_are_no_rivals(by_label: Bench, other: dict[str, Any]) -> None:
    younger, _ = by_label.canaries.put(owned("young", created="2026-05-02T12:00:00Z"))
    by_label.feed.canary("ADDED", owned("old", team=THEIRS, **other))
    assert by_label.canaries.rival(younger) == ""


def test_knative_services_of_another_shard_are_not_core_ones(by_label: Bench) -> None:
    core = {"apiVersion": "v1", "kind": "Service", "name": "cart"}
    knative = {**core, "apiVersion": "serving.knative.dev/v1"}
    younger, _ = by_label.canaries.put(
        owned("young", created="2026-05-02T12:00:00Z", targetRef=knative)
    )
    by_label.feed.canary("ADDED", owned("old", team=THEIRS, targetRef=core))
    assert by_label.canaries.rival(younger) == ""
    by_label.feed.canary("MODIFIED", owned("old", version=6, team=THEIRS, targetRef=knative))
    assert by_label.canaries.rival(younger) == "old"


@pytest.mark.parametrize("how", ["deleted", "missed"])
def test_who_waited_for_it_is_woken_when_it_is_gone(by_label: Bench, how: str) -> None:
    by_label.feed.canary("ADDED", owned("young", created="2026-05-02T12:00:00Z"))
    by_label.feed.canary("ADDED", owned("unrelated", target="other"))
    by_label.feed.canary("ADDED", owned("old", team=THEIRS))
    by_label.woken.clear()
    if how == "deleted":
        by_label.feed.canary("DELETED", owned("old", version=6, team=THEIRS))
    else:
        by_label.feed.forget("old.shop")
    assert by_label.woken == ["young.shop"]
    assert by_label.gone == []
    younger = by_label.canaries.get("young.shop")
    assert younger is not None
    assert by_label.canaries.rival(younger[0]) == ""


def test_of_a_foreign_one_without_a_target_nothing_is_feared(by_label: Bench) -> None:
    body = owned("odd", team=THEIRS)
    by_label.feed.canary("ADDED", {"metadata": body["metadata"]})
    younger, _ = by_label.canaries.put(owned("young", created="2026-05-02T12:00:00Z"))
    assert by_label.canaries.rival(younger) == ""
