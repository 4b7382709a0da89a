"""Who is asked for which check, with what, and for how long."""

import asyncio
import json
from dataclasses import dataclass, field

import pytest

from flagger_controller.api.canary import Canary, HookType, Webhook
from flagger_controller.api.checksum import checksum
from flagger_controller.api.status import CanaryStatus, Phase
from flagger_controller.errors import Retriable
from flagger_controller.rollout.evidence import (
    Answer,
    Check,
    HookCheck,
    Measured,
    MetricCheck,
    MetricPart,
    ProvidersCheck,
    Result,
    Unmeasured,
)
from flagger_controller.tick.gather import METRIC_DEADLINE, Gatherer

from .scene import manifest

pytestmark = pytest.mark.looptime

HOOKS = [
    {"name": "first", "type": "rollout", "url": "http://a/"},
    {"name": "gate", "type": "confirm-promotion", "url": "http://b/"},
    {"name": "second", "url": "http://c/", "metadata": {"k": "v"}},
]
METRICS = [{"name": "errors", "query": "q"}, {"name": "request-duration"}]


def canary() -> Canary:
    found = Canary.from_api(manifest(analysis={"webhooks": HOOKS, "metrics": METRICS}))
    status = CanaryStatus(
        phase=Phase.WAITING_PROMOTION, tracked_configs={"configmap/a": "1"}, last_applied_spec="h"
    )
    return found.model_copy(update={"status": status})


@dataclass
class Sources:
    """Hooks and metric sources that answer after some seconds."""

    seconds: float = 0.0
    calls: list[tuple[str, object]] = field(default_factory=list)
    tally: list[tuple[Check, Result, float]] = field(default_factory=list)

    async def call(self, hook: Webhook, payload: bytes, namespace: str) -> Answer:
        await asyncio.sleep(self.seconds)
        self.calls.append((hook.name, json.loads(payload)))
        return Answer(ok=False, error="no")

    async def measure(self, canary: Canary, check: MetricCheck) -> Measured | Unmeasured:
        await asyncio.sleep(self.seconds)
        self.calls.append(("measure", check))
        return Measured(7)

    async def providers(self, canary: Canary) -> Answer:
        self.calls.append(("providers", canary.key))
        return Answer(ok=True)

    def answered(self, canary: Canary, check: Check, result: Result, seconds: float) -> None:
        assert canary.key == "cart.shop"
        self.tally.append((check, result, seconds))


async def test_a_hook_is_called_by_its_place_among_its_kind_with_the_checks_phase() -> None:
    sources = Sources()
    check = HookCheck(HookType.ROLLOUT, 1, Phase.PROGRESSING)
    assert await Gatherer(sources, sources, sources).gather(canary(), check) == Answer(
        ok=False, error="no"
    )
    ((name, payload),) = sources.calls
    assert name == "second"
    assert payload == {
        "name": "cart",
        "namespace": "shop",
        "phase": "Progressing",
        "checksum": checksum({"configmap/a": "1"}, "h"),
        "metadata": {"k": "v"},
    }


async def test_kinds_are_counted_apart() -> None:
    sources = Sources()
    check = HookCheck(HookType.CONFIRM_PROMOTION, 0, Phase.PROGRESSING)
    await Gatherer(sources, sources, sources).gather(canary(), check)
    assert [name for name, _ in sources.calls] == ["gate"]


async def test_providers_are_asked_for() -> None:
    sources = Sources()
    answer = await Gatherer(sources, sources, sources).gather(canary(), ProvidersCheck())
    assert answer == Answer(ok=True)
    assert sources.calls == [("providers", "cart.shop")]


async def test_metrics_are_measured_in_the_way_asked_for() -> None:
    sources = Sources()
    check = MetricCheck(1, MetricPart.BUILTIN)
    assert await Gatherer(sources, sources, sources).gather(canary(), check) == Measured(7)
    assert sources.calls == [("measure", check)]


async def test_a_metric_source_that_does_not_answer_has_failed() -> None:
    sources = Sources(seconds=METRIC_DEADLINE + 1)
    check = MetricCheck(0, MetricPart.QUERY)
    reading = await Gatherer(sources, sources, sources).gather(canary(), check)
    text = "Metric query failed for errors: no answer within 60 seconds"
    assert reading == Unmeasured(text, failed=True, late=True)
    assert asyncio.get_running_loop().time() == METRIC_DEADLINE
    assert sources.calls == []


async def test_a_slow_source_within_the_deadline_counts() -> None:
    sources = Sources(seconds=METRIC_DEADLINE - 1)
    check = MetricCheck(0, MetricPart.QUERY)
    assert await Gatherer(sources, sources, sources).gather(canary(), check) == Measured(7)


async def test_hooks_have_their_own_deadline_only() -> None:
    sources = Sources(seconds=METRIC_DEADLINE * 10)
    check = HookCheck(HookType.ROLLOUT, 0, Phase.PROGRESSING)
    assert await Gatherer(sources, sources, sources).gather(canary(), check) == Answer(
        ok=False, error="no"
    )


async def test_every_answer_is_counted_with_the_time_it_took() -> None:
    sources = Sources(seconds=METRIC_DEADLINE + 1)
    hook, metric = (
        HookCheck(HookType.ROLLOUT, 0, Phase.PROGRESSING),
        MetricCheck(1, MetricPart.QUERY),
    )
    gatherer = Gatherer(sources, sources, sources)
    results = [await gatherer.gather(canary(), check) for check in (hook, metric)]
    assert sources.tally == [
        (hook, results[0], METRIC_DEADLINE + 1),
        (metric, results[1], METRIC_DEADLINE),
    ]


async def test_several_checks_take_as_long_as_the_slowest() -> None:
    sources = Sources(seconds=3)
    checks = [MetricCheck(0, MetricPart.QUERY), MetricCheck(1, MetricPart.BUILTIN)]
    assert (
        await Gatherer(sources, sources, sources).gather_all(canary(), checks) == [Measured(7)] * 2
    )
    assert asyncio.get_running_loop().time() == 3
    assert sources.calls == [("measure", check) for check in checks]


async def test_the_first_error_ends_them_all() -> None:
    class Broken(Sources):
        async def measure(self, canary: Canary, check: MetricCheck) -> Measured | Unmeasured:
            if check.index == 0:
                raise Retriable("API server is busy")
            return await super().measure(canary, check)

    sources = Broken(seconds=3)
    checks = [MetricCheck(1, MetricPart.QUERY), MetricCheck(0, MetricPart.QUERY)]
    with pytest.raises(Retriable, match="busy"):
        await Gatherer(sources, sources, sources).gather_all(canary(), checks)
    await asyncio.sleep(10)
    assert sources.calls == []
