"""Metrics: who judges a release, and what we export about it.

`METRIC_SOURCES` is the registry of providers, by the `type` of a MetricTemplate. It is data:
modules are imported when a template of that type is first used.
"""

from collections.abc import Mapping
from typing import Final

METRIC_SOURCES: Final[Mapping[str, str]] = {
    "cloudwatch": "flagger_controller.metrics.cloudwatch:CloudWatch",
    "datadog": "flagger_controller.metrics.datadog:Datadog",
    "dynatrace": "flagger_controller.metrics.dynatrace:Dynatrace",
    "externalmetrics": "flagger_controller.metrics.externalmetrics:ExternalMetrics",
    "graphite": "flagger_controller.metrics.graphite:Graphite",
    "influxdb": "flagger_controller.metrics.influxdb:InfluxDB",
    "keptn": "flagger_controller.metrics.keptn:Keptn",
    "newrelic": "flagger_controller.metrics.newrelic:NewRelic",
    "prometheus": "flagger_controller.metrics.prometheus:Prometheus",
    "splunk": "flagger_controller.metrics.splunk:Splunk",
    "stackdriver": "flagger_controller.metrics.stackdriver:Stackdriver",
}
