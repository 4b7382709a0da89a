"""What a source answers, and what becomes of it (metrics.md 11); slow ones hold up nobody else."""

import asyncio
from typing import Any

import pytest
from werkzeug import Response

from flagger_controller.api.metrictemplate import MetricTemplate
from flagger_controller.api.status import Verdict
from flagger_controller.metrics.base import Context, NoValues, SourceError, SourceTimeout
from flagger_controller.metrics.evaluate import Evaluator
from flagger_controller.metrics.templates import Lookups, Settings
from flagger_controller.rollout.evidence import Measured, MetricPart, Unmeasured

from .conftest import Build, Prometheus

CUSTOM = {"name": "q", "templateRef": {"name": "t"}}
SUCCESS = {"name": "request-success-rate"}


class Scripted:
    """A source that answers what its query asks for."""

    def __init__(self, *_: Any) -> None:
        """It needs nothing."""

    async def query(self, query: str) -> float:
        match query:
            case "hang":
                await asyncio.Event().wait()
            case "none":
                raise NoValues
            case "late":
                raise SourceTimeout("no answer within 5s")
            case "error":
                raise SourceError("refused")
        return 7.0

    async def online(self) -> None:
        """It is."""


def evaluator(context: Context, query: str, server: str = "http://nobody.invalid") -> Evaluator:
    async def template(namespace: str, name: str) -> MetricTemplate:
        spec = {"provider": {"type": "scripted"}, "query": query}
        return MetricTemplate.model_validate({"metadata": {"name": name}, "spec": spec})

    async def unused(namespace: str, name: str) -> Any:
        raise AssertionError(name)

    lookups = Lookups(template, unused, unused)
    sources = {"scripted": f"{__name__}:Scripted"}
    return Evaluator(context, lookups, Settings(metrics_server=server), sources)


@pytest.mark.parametrize(
    ("query", "verdict", "text"),
    [
        ("none", Verdict.NO_VALUES, "Halt advancement no values found for custom metric: q: no v"),
        ("late", Verdict.TIMEOUT, "Metric query failed for q: no answer within 5s"),
        ("error", Verdict.ERROR, "Metric query failed for q: refused"),
        ("{{ x }}", Verdict.ERROR, "Metric template t.default query render error: "),
    ],
)
async def test_four_outcomes(
    context: Context, canary: Build, query: str, verdict: Verdict, text: str
) -> None:
    built = canary(CUSTOM)
    metric = built.analysis.metrics[0]
    measured = await evaluator(context, query).measure(built, metric, MetricPart.TEMPLATE)
    assert isinstance(measured, Unmeasured)
    assert measured.verdict is verdict
    assert measured.text.startswith(text)
    value = await evaluator(context, "value").measure(built, metric, MetricPart.TEMPLATE)
    assert value == Measured(7.0)


@pytest.mark.parametrize(
    ("body", "status", "verdict"),
    [('{"data": {"result": []}}', 200, Verdict.NO_VALUES), ("busy", 503, Verdict.ERROR)],
)
async def test_built_ins_know_them_too(
    context: Context,
    prometheus: Prometheus,
    canary: Build,
    body: str,
    status: int,
    verdict: Verdict,
) -> None:
    prometheus.answer = Response(body, status=status)
    built = canary(SUCCESS)
    asked = evaluator(context, "", prometheus.url)
    measured = await asked.measure(built, built.analysis.metrics[0], MetricPart.BUILTIN)
    assert isinstance(measured, Unmeasured)
    assert measured.verdict is verdict


async def test_a_slow_source_holds_up_its_own_canaries_only(
    context: Context, prometheus: Prometheus, canary: Build
) -> None:
    """More of them than there are threads or connections in a pool."""
    slow, quick = canary(CUSTOM), canary(SUCCESS)
    asked = evaluator(context, "hang", prometheus.url)
    hanging = [
        asyncio.ensure_future(asked.measure(slow, slow.analysis.metrics[0], MetricPart.TEMPLATE))
        for _ in range(150)
    ]
    measured = await asked.measure(quick, quick.analysis.metrics[0], MetricPart.BUILTIN)
    assert measured == Measured(100)
    assert not any(each.done() for each in hanging)
    for each in hanging:
        each.cancel()
    await asyncio.gather(*hanging, return_exceptions=True)
