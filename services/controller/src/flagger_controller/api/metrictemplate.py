"""The MetricTemplate resource (spec/canary-api.md section 9)."""

from collections.abc import Mapping
from typing import Final

from pydantic import Field

from flagger_controller.api.base import Model, ObjectMeta, SecretReference

METRIC_SOURCES: Final[Mapping[str, str]] = {
    "prometheus": "flagger_controller.metrics.prometheus:Prometheus",
    "influxdb": "flagger_controller.metrics.influxdb:InfluxDB",
    "datadog": "flagger_controller.metrics.datadog:Datadog",
    "externalmetrics": "flagger_controller.metrics.externalmetrics:ExternalMetrics",
    "stackdriver": "flagger_controller.metrics.stackdriver:Stackdriver",
    "cloudwatch": "flagger_controller.metrics.cloudwatch:CloudWatch",
    "newrelic": "flagger_controller.metrics.newrelic:NewRelic",
    "graphite": "flagger_controller.metrics.graphite:Graphite",
    "dynatrace": "flagger_controller.metrics.dynatrace:Dynatrace",
    "keptn": "flagger_controller.metrics.keptn:Keptn",
    "splunk": "flagger_controller.metrics.splunk:Splunk",
}
"""The registry of sources by the `type` of a provider: data, from which the definition takes its
enumeration. What is named is imported when a template of that type is first used.
"""


class MetricTemplateProvider(Model):
    """Where the query is sent."""

    type: str
    address: str = ""
    headers: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    secret_ref: SecretReference | None = None
    region: str = ""
    insecure_skip_verify: bool = False
    within_run: bool = False
    """Look at no time before the run, where the provider is given a window."""


class MetricTemplateSpec(Model):
    """A query for many canaries."""

    provider: MetricTemplateProvider
    query: str


class MetricTemplate(Model):
    """A MetricTemplate object."""

    metadata: ObjectMeta
    spec: MetricTemplateSpec
