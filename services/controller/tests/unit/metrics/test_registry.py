"""Every source in the registry can be loaded and keeps the contract."""

import inspect

import pytest

from flagger_controller.metrics import METRIC_SOURCES
from flagger_controller.metrics.templates import load


@pytest.mark.parametrize("kind", sorted(METRIC_SOURCES))
def test_sources_load(kind: str) -> None:
    source = load(METRIC_SOURCES[kind])
    assert list(inspect.signature(source).parameters) == ["provider", "secret", "interval", "http"]
    for method in ("query", "online"):
        assert inspect.iscoroutinefunction(getattr(source, method))
