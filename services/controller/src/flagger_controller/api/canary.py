"""The Canary resource (spec/canary-api.md sections 2, 4 and 8): what users write.

Decoding is strict about types and lenient about ranges: a value that upstream accepted still
loads, and `problems()` of `api/validation.py` says what is wrong with it.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated, Any, Final, Literal

from pydantic import BeforeValidator, Field

from flagger_common import durations
from flagger_controller.api.base import API_VERSION, Model, NamedReference, Object, ObjectMeta
from flagger_controller.api.status import CanaryStatus

DEFAULT_INTERVAL: Final = 60.0
"""Seconds between two ticks when `analysis.interval` is empty or cannot be parsed."""
INTERVAL_FLOOR: Final = 10.0
"""Shortest interval in seconds; shorter ones are raised to it."""
DEFAULT_DEADLINE: Final = 600
"""Seconds without progress before a workload counts as stuck."""


def _whole(value: object) -> object:
    """Accept 2.0 where the schema says number and we need an integer; leave 0.5 to fail."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


Whole = Annotated[int, BeforeValidator(_whole)]


class Strategy(StrEnum):
    """How traffic moves; derived, never written by users (canary-api.md section 4)."""

    CANARY = "canary"
    AB_TESTING = "ab-testing"
    BLUE_GREEN = "blue-green"


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


class CrossNamespaceObjectReference(Model):
    """A reference to an object of any kind."""

    api_version: str
    kind: str
    name: str
    namespace: str = ""


class ScalerReplicas(Model):
    """Overrides for the primary's autoscaler."""

    min_replicas: Whole | None = None
    max_replicas: Whole | None = None


class AutoscalerReference(Model):
    """The target's autoscaler; a `-primary` twin is generated."""

    api_version: str
    kind: str
    name: str
    primary_scaler_queries: dict[str, str] | None = None
    primary_scaler_replicas: ScalerReplicas | None = None


class CustomMetadata(Model):
    """Extra labels and annotations for a generated Service."""

    labels: dict[str, str] = Field(default_factory=dict)
    annotations: dict[str, str] = Field(default_factory=dict)


class UnmanagedMetadata(Model):
    """Keys on generated Services that reconciliation leaves alone."""

    annotations: tuple[str, ...] = ()
    labels: tuple[str, ...] = ()


class CanaryService(Model):
    """How Services and routes are generated (canary-api.md section 2.3).

    The parts that only one family of routers reads stay dicts: they are copied, not interpreted.
    """

    name: str = ""
    port: Whole
    port_name: str = ""
    target_port: int | str = 0
    app_protocol: str = ""
    traffic_distribution: str = ""
    port_discovery: bool = False
    headless: bool = False
    timeout: str = ""
    backend_timeout: str = ""
    mesh_name: str = ""
    backends: tuple[str, ...] = ()
    hosts: tuple[str, ...] = ()
    gateways: tuple[str, ...] = ()
    gateway_refs: tuple[Object, ...] = ()
    delegation: bool = False
    match: tuple[Object, ...] = ()
    rewrite: Object | None = None
    retries: Object | None = None
    headers: Object | None = None
    mirror: tuple[Object, ...] = ()
    cors_policy: Object | None = None
    traffic_policy: Object | None = None
    apex: CustomMetadata | None = None
    primary: CustomMetadata | None = None
    canary: CustomMetadata | None = None
    unmanaged_metadata: UnmanagedMetadata | None = None


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


class Webhook(Model):
    """One hook (webhooks.md section 1)."""

    name: str
    type: HookType | Literal[""] = ""
    url: str
    timeout: str = ""
    retries: Whole = 0
    disable_tls: bool = Field(default=False, alias="disableTLS")
    mute_alert: bool = False
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
    match: tuple[Object, ...] = ()
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


class CanarySpec(Model):
    """What a user asks for."""

    provider: str = ""
    metrics_server: str = ""
    target_ref: CrossNamespaceObjectReference
    autoscaler_ref: AutoscalerReference | None = None
    ingress_ref: CrossNamespaceObjectReference | None = None
    route_ref: CrossNamespaceObjectReference | None = None
    upstream_ref: CrossNamespaceObjectReference | None = None
    service: CanaryService | None = None
    analysis: Analysis | None = None
    canary_analysis: Analysis | None = None
    progress_deadline_seconds: Whole | None = None
    skip_analysis: bool = False
    revert_on_deletion: bool = False
    suspend: bool = False


class Canary(Model):
    """A Canary object, with the derived values every part of the controller uses."""

    metadata: ObjectMeta
    spec: CanarySpec
    status: CanaryStatus = CanaryStatus()

    @property
    def key(self) -> str:
        """`name.namespace`, the form used in messages and logs."""
        return f"{self.metadata.name}.{self.metadata.namespace}"

    @property
    def name(self) -> str:
        """Name of the Canary, not of its target."""
        return self.metadata.name

    @property
    def namespace(self) -> str:
        """Namespace of the Canary and of everything it generates."""
        return self.metadata.namespace

    @property
    def target(self) -> str:
        """Name of the workload under progressive delivery."""
        return self.spec.target_ref.name

    @property
    def primary(self) -> str:
        """Name of the workload that serves production."""
        return f"{self.target}-primary"

    @property
    def apex_service(self) -> str:
        """Name of the Service that clients use."""
        service = self.spec.service
        return (service.name if service else "") or self.target

    @property
    def primary_service(self) -> str:
        """Name of the Service in front of the primary."""
        return f"{self.apex_service}-primary"

    @property
    def canary_service(self) -> str:
        """Name of the Service in front of the target."""
        return f"{self.apex_service}-canary"

    @property
    def analysis(self) -> Analysis:
        """`spec.analysis`, else its deprecated alias, else an empty one."""
        return self.spec.analysis or self.spec.canary_analysis or Analysis()

    @property
    def skip_analysis(self) -> bool:
        """Promote without analysis; also when there is nothing to analyse with."""
        if self.spec.analysis is None and self.spec.canary_analysis is None:
            return True
        return self.spec.skip_analysis

    @property
    def strategy(self) -> Strategy:
        """A/B with match and iterations, Blue/Green with iterations only, else weighted."""
        if self.analysis.iterations > 0:
            return Strategy.AB_TESTING if self.analysis.match else Strategy.BLUE_GREEN
        return Strategy.CANARY

    @property
    def threshold(self) -> int:
        """Accumulated failed checks at which a run is rolled back, at least 1."""
        return self.analysis.threshold if self.analysis.threshold > 0 else 1

    @property
    def max_weight(self) -> int:
        """Percent of traffic at which promotion starts, 1 to 100."""
        if self.analysis.step_weights:
            return min(100, self.analysis.step_weights[-1])
        return min(100, self.analysis.max_weight) if self.analysis.max_weight > 0 else 100

    @property
    def deadline(self) -> int:
        """Seconds without progress before a workload counts as stuck."""
        return self.spec.progress_deadline_seconds or DEFAULT_DEADLINE

    @property
    def interval(self) -> float:
        """Seconds between two ticks, before the floor is applied."""
        try:
            return durations.parse(self.analysis.interval)
        except ValueError:
            return DEFAULT_INTERVAL

    @property
    def owner_reference(self) -> Object:
        """What generated objects carry so that they go away with the Canary."""
        return {
            "apiVersion": API_VERSION,
            "kind": "Canary",
            "name": self.name,
            "uid": self.metadata.uid,
            "controller": True,
            "blockOwnerDeletion": True,
        }

    @classmethod
    def from_api(cls, body: Mapping[str, Any]) -> "Canary":
        """Decode an object as the API server returns it.

        Raises:
            pydantic.ValidationError: names every field that cannot be decoded.
        """
        return cls.model_validate(body)
