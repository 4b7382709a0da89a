"""A source that hangs, and more canaries on it than the pool has places: nobody else waits."""

import asyncio

import pytest

from flagger_controller.api.canary import Canary, Webhook
from flagger_controller.metrics.base import Context
from flagger_controller.metrics.evaluate import Evaluator
from flagger_controller.metrics.turns import Turns
from flagger_controller.rollout.evidence import (
    Answer,
    Check,
    Measured,
    MetricCheck,
    MetricPart,
    Result,
    Unmeasured,
)
from flagger_controller.schedule.pool import Pool
from flagger_controller.tick.gather import METRIC_DEADLINE, Gatherer

from .conftest import Build
from .test_outcomes import CUSTOM, evaluator

pytestmark = pytest.mark.looptime

CHECK = MetricCheck(0, MetricPart.TEMPLATE)


class Source:
    """Takes some seconds for an answer, and counts who waits for one."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self.asked = 0
        self.most = 0

    async def query(self, query: str) -> float:
        self.asked += 1
        self.most = max(self.most, self.asked)
        try:
            await asyncio.sleep(self._seconds)
        finally:
            self.asked -= 1
        return 7.0

    async def online(self) -> None:
        await self.query("")


async def test_so_many_at_a_time_and_the_others_in_turn() -> None:
    turns, source = Turns(at_once=2), Source(10)
    shared = [turns.share(source, "prometheus", "http://a") for _ in range(3)]
    asked = [shared[index % 3].query("q") for index in range(5)]
    assert await asyncio.gather(*asked, shared[0].online()) == [7.0] * 5 + [None]
    assert source.most == 2
    assert asyncio.get_running_loop().time() == 30


async def test_places_and_types_have_turns_of_their_own() -> None:
    turns, hung = Turns(at_once=1), Source(1000)
    waiting = asyncio.ensure_future(turns.share(hung, "prometheus", "http://a").query("q"))
    await asyncio.sleep(1)
    for kind, place in (("prometheus", "http://b"), ("graphite", "http://a")):
        assert await turns.share(Source(1), kind, place).query("q") == 7.0
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)


class Stage:
    """A pool whose ticks measure a metric, of a source that hangs or of one that answers."""

    def __init__(self, context: Context, canary: Canary) -> None:
        self._canary = canary
        judges = {query: _Judge(evaluator(context, query)) for query in ("hang", "value")}
        self._gatherers = {name: Gatherer(_Nobody(), judges[name], _Nobody()) for name in judges}
        self.began: dict[str, list[float]] = {}
        self.results: dict[str, list[Result]] = {}
        self.pool = Pool(self._work, _Nobody())

    async def _work(self, key: str) -> float | None:
        now = asyncio.get_running_loop().time()
        self.began.setdefault(key, []).append(round(now, 3))
        gatherer = self._gatherers[key.partition(" ")[0]]
        self.results.setdefault(key, []).extend(await gatherer.gather_all(self._canary, [CHECK]))
        return 10.0


class _Judge:
    def __init__(self, asked: Evaluator) -> None:
        self._asked = asked

    async def measure(self, canary: Canary, check: MetricCheck) -> Measured | Unmeasured:
        return await self._asked.measure(canary, canary.analysis.metrics[0], check.part)

    async def providers(self, canary: Canary) -> Answer:
        return await self._asked.check_providers(canary)


class _Nobody:
    """Calls no hooks, counts nothing."""

    async def call(self, hook: Webhook, payload: bytes, namespace: str) -> Answer:
        raise AssertionError(hook)

    def answered(self, canary: Canary, check: Check, result: Result, seconds: float) -> None:
        """A check was answered."""

    def began(self, lag: float) -> None:
        """A tick began."""

    def ended(self, seconds: float, error: str) -> None:
        """A tick ended."""


async def test_canaries_on_a_source_that_hangs_delay_nobody_else(
    context: Context, canary: Build
) -> None:
    stage = Stage(context, canary(CUSTOM))
    hanging = [f"hang {number}" for number in range(3 * 100)]
    for key in hanging:
        stage.pool.wake(key)
    stage.pool.wake("value", 1)
    running = asyncio.create_task(stage.pool.run())
    await asyncio.sleep(METRIC_DEADLINE + 0.5)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    assert stage.began["value"] == [1, 11, 21, 31, 41, 51]
    assert stage.results["value"] == [Measured(7.0)] * 6
    for key in hanging:
        (result,) = stage.results[key]
        assert isinstance(result, Unmeasured)
        assert result.late, "who never had a turn was not answered in time either"
