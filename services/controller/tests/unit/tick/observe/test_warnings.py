"""What is odd about a Canary."""

from flagger_controller.api.canary import Canary
from flagger_controller.cluster.cache import Cache
from flagger_controller.cluster.fake import FakeApi
from flagger_controller.routing.base import RouterSettings
from flagger_controller.targets.base import TargetSettings
from flagger_controller.tick.observe import Observer, Settings

from ..scene import now
from .bench import PROVIDER, analysis, canary


def warning(found: Canary, *, templates: set[tuple[str, str]] | None = None) -> str:
    known = templates or set()
    observer = Observer(
        Cache(FakeApi()), PROVIDER, now, lambda namespace, name: (namespace, name) in known
    )
    return observer.warning(found)


def test_nothing_is_odd_about_an_ordinary_canary() -> None:
    assert warning(canary(analysis=analysis())) == ""


def test_an_interval_that_is_none() -> None:
    assert warning(canary(analysis=analysis(interval="often"))) == (
        'spec.analysis.interval "often" is not a duration, as 30s or 1m30s are: 60s is used'
    )


def test_an_interval_below_the_floor_of_the_process() -> None:
    assert warning(canary(analysis=analysis(interval="1s"))) == (
        'spec.analysis.interval "1s" is too short: 10s is used'
    )
    low = Settings("traefik", TargetSettings(), RouterSettings(), interval_floor=0.5)
    observer = Observer(Cache(FakeApi()), low, now)
    assert observer.warning(canary(analysis=analysis(interval="1s"))) == ""


def test_services_cannot_mirror() -> None:
    """Upstream is silent, and its releases run; so do ours."""
    found = canary(provider="kubernetes", analysis=analysis(iterations=5, mirror=True))
    assert warning(found) == "spec.analysis.mirror is ignored: Services cannot mirror requests"


METRICS = [
    {"name": "here", "templateRef": {"name": "a"}, "thresholdRange": {"max": 1}},
    {
        "name": "there",
        "templateRef": {"name": "b", "namespace": "other"},
        "thresholdRange": {"max": 1},
    },
    {"name": "inline", "query": "q", "thresholdRange": {"max": 1}},
]


def test_templates_that_do_not_exist() -> None:
    found = canary(analysis=analysis(metrics=METRICS))
    assert warning(found) == (
        "spec.analysis.metrics: MetricTemplate a.shop does not exist: "
        "create it, or correct templateRef; "
        "spec.analysis.metrics: MetricTemplate b.other does not exist: "
        "create it, or correct templateRef"
    )
    assert warning(found, templates={("shop", "a"), ("other", "b")}) == ""


def test_warnings_come_together() -> None:
    found = canary(analysis=analysis(interval="x", metrics=METRICS[:1]))
    first, second = warning(found).split("; ")
    assert first.startswith('spec.analysis.interval "x"')
    assert second.startswith("spec.analysis.metrics: MetricTemplate a.shop")
