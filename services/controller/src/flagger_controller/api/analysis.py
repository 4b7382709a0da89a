"""The analysis of a Canary: schedule, steps, metrics, hooks and alerts (canary-api.md 2.4-2.8)."""

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from flagger_controller.api import schema_parts as parts
from flagger_controller.api.base import Model, NamedReference, Object, SecretReference
from flagger_controller.api.shape import shaped


def _whole(value: object) -> object:
    """Accept 2.0 where the schema says number and we need an integer; leave 0.5 to fail."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


Whole = Annotated[int, BeforeValidator(_whole)]


class HookType(StrEnum):
    """When a webhook is called (webhooks.md section 2)."""

    CONFIRM_ROLLOUT = "confirm-rollout"
    PRE_ROLLOUT = "pre-rollout"
    ROLLOUT = "rollout"
    CONFIRM_TRAFFIC_INCREASE = "confirm-traffic-increase"
    CONFIRM_PROMOTION = "confirm-promotion"
    POST_ROLLOUT = "post-rollout"
    EVENT = "event"
    ROLLBACK = "rollback"


class ThresholdRange(Model):
    """Inclusive bounds of a metric; None means unbounded on that side."""

    min: float | None = None
    max: float | None = None


class Metric(Model):
    """One check of the analysis (canary-api.md section 2.5)."""

    name: str
    interval: str = ""
    threshold: float = 0.0
    threshold_range: ThresholdRange | None = None
    query: str = ""
    template_ref: NamedReference | None = None
    template_variables: dict[str, str] = Field(default_factory=dict)
    failure_policy: Literal["", "Fail", "Hold"] = ""
    """Hold: a source that cannot be asked holds the release where it is (M18 of metrics.md)."""


class Webhook(Model):
    """One hook (webhooks.md section 1)."""

    name: str
    type: HookType | Literal[""] = ""
    url: str
    timeout: str = ""
    retries: Whole = 0
    disable_tls: bool = Field(default=False, alias="disableTLS")
    mute_alert: bool = False
    secret_ref: SecretReference | None = None
    """Ours: how the controller identifies itself (keys `token`, `username`, `password`,
    `hmacKey`)."""
    metadata: dict[str, str] = Field(default_factory=dict)

    @property
    def kind(self) -> HookType:
        """The hook's type; an empty one means `rollout`."""
        return self.type or HookType.ROLLOUT


class AlertRoute(Model):
    """Which alerts go to which provider; an omitted severity means `info`."""

    name: str
    severity: Literal["", "info", "warn", "error"] = ""
    provider_ref: NamedReference


class SessionAffinity(Model):
    """Cookies that keep a client on one version (canary-api.md section 2.8)."""

    cookie_name: str
    primary_cookie_name: str = ""
    max_age: Whole = 0
    domain: str = ""
    path: str = ""
    http_only: bool = False
    partitioned: bool = False
    secure: bool = False
    same_site: str = ""


class Analysis(Model):
    """Schedule, thresholds, steps and checks of a release (canary-api.md section 2.4)."""

    interval: str = ""
    threshold: Whole = 0
    iterations: Whole = 0
    match: tuple[Annotated[Object, shaped(parts.ANALYSIS_MATCH)], ...] = ()
    max_weight: Whole = 0
    step_weight: Whole = 0
    step_weights: tuple[Whole, ...] = ()
    step_weight_promotion: Whole = 0
    mirror: bool = False
    mirror_weight: Whole = 0
    primary_ready_threshold: Whole | None = None
    canary_ready_threshold: Whole | None = None
    metrics: tuple[Metric, ...] = ()
    webhooks: tuple[Webhook, ...] = ()
    alerts: tuple[AlertRoute, ...] = ()
    session_affinity: SessionAffinity | None = None

    def hooks(self, kind: HookType) -> tuple[Webhook, ...]:
        """The hooks of one type, in list order."""
        return tuple(hook for hook in self.webhooks if hook.kind is kind)
