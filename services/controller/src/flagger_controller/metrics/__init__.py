"""Metrics: who judges a release, and what we export about it.

`METRIC_SOURCES` is the registry of providers, by the `type` of a MetricTemplate. It is data:
modules are imported when a template of that type is first used.
"""

from collections.abc import Mapping
from typing import Final

METRIC_SOURCES: Final[Mapping[str, str]] = {
    "prometheus": "flagger_controller.metrics.prometheus:Prometheus",
}
