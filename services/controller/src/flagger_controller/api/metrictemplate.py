"""The MetricTemplate resource (spec/canary-api.md section 9)."""

from pydantic import Field

from flagger_controller.api.base import Model, ObjectMeta, SecretReference


class MetricTemplateProvider(Model):
    """Where the query is sent."""

    type: str
    address: str = ""
    headers: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    secret_ref: SecretReference | None = None
    region: str = ""
    insecure_skip_verify: bool = False


class MetricTemplateSpec(Model):
    """A query for many canaries."""

    provider: MetricTemplateProvider
    query: str


class MetricTemplate(Model):
    """A MetricTemplate object."""

    metadata: ObjectMeta
    spec: MetricTemplateSpec
