"""The Canary resource (spec/canary-api.md sections 2, 4 and 8): what users write.

Decoding is strict about types and lenient about ranges: a value that upstream accepted still
loads, and `problems()` of `api/validation.py` says what is wrong with it.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated, Any, Final

from pydantic import Field

from flagger_common import durations
from flagger_controller.api import schema_parts as parts
from flagger_controller.api.analysis import (
    AlertRoute,
    Analysis,
    HookType,
    Metric,
    SessionAffinity,
    ThresholdRange,
    Webhook,
    Whole,
)
from flagger_controller.api.base import API_VERSION, Model, Object, ObjectMeta
from flagger_controller.api.shape import shaped
from flagger_controller.api.status import CanaryStatus

__all__ = [
    "DEFAULT_DEADLINE",
    "DEFAULT_INTERVAL",
    "INTERVAL_FLOOR",
    "LONGEST",
    "AlertRoute",
    "Analysis",
    "AutoscalerReference",
    "Canary",
    "CanaryService",
    "CanarySpec",
    "CrossNamespaceObjectReference",
    "CustomMetadata",
    "HookType",
    "Metric",
    "ScalerReplicas",
    "SessionAffinity",
    "Strategy",
    "ThresholdRange",
    "UnmanagedMetadata",
    "Webhook",
    "Whole",
]

DEFAULT_INTERVAL: Final = 60.0
"""Seconds between two ticks when `analysis.interval` is empty or cannot be parsed."""
INTERVAL_FLOOR: Final = 10.0
"""Shortest interval in seconds; shorter ones are raised to it."""
DEFAULT_DEADLINE: Final = 600
"""Seconds without progress before a workload counts as stuck."""

LONGEST: Final = 365 * 86400
"""Seconds of a year: longer intervals and deadlines are cut, as no calendar has room for them."""


class Strategy(StrEnum):
    """How traffic moves; derived, never written by users (canary-api.md section 4)."""

    CANARY = "canary"
    AB_TESTING = "ab-testing"
    BLUE_GREEN = "blue-green"


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

    The parts that only one family of routers reads stay dicts, of the shape that the CRD gives
    them: they are copied, hardly interpreted.
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
    gateway_refs: tuple[Annotated[Object, shaped(parts.GATEWAY_REF)], ...] = ()
    delegation: bool = False
    match: tuple[Annotated[Object, shaped(parts.SERVICE_MATCH)], ...] = ()
    rewrite: Annotated[Object, shaped(parts.REWRITE)] | None = None
    retries: Annotated[Object, shaped(parts.RETRIES)] | None = None
    headers: Annotated[Object, shaped(parts.HEADERS)] | None = None
    mirror: tuple[Annotated[Object, shaped(parts.MIRROR)], ...] = ()
    cors_policy: Annotated[Object, shaped(parts.CORS_POLICY)] | None = None
    traffic_policy: Annotated[Object, shaped(parts.TRAFFIC_POLICY)] | None = None
    apex: CustomMetadata | None = None
    primary: CustomMetadata | None = None
    canary: CustomMetadata | None = None
    unmanaged_metadata: UnmanagedMetadata | None = None


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
    def on_knative(self) -> bool:
        """The target is a Knative Service, as opposed to a core one."""
        ref = self.spec.target_ref
        return (ref.api_version, ref.kind) == ("serving.knative.dev/v1", "Service")

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
        """Percent of traffic at which promotion starts, 1 to 100.

        The last step; in a list that goes back, which is not followed, the highest one.
        """
        if self.analysis.step_weights:
            return max(1, min(100, max(self.analysis.step_weights)))
        return min(100, self.analysis.max_weight) if self.analysis.max_weight > 0 else 100

    @property
    def deadline(self) -> int:
        """Seconds without progress before a workload counts as stuck, -1 (none) to a year."""
        wanted = self.spec.progress_deadline_seconds or DEFAULT_DEADLINE
        return max(-1, min(wanted, LONGEST))

    @property
    def interval(self) -> float:
        """Seconds between two ticks, 0 to a year, before the floor is applied."""
        try:
            wanted = durations.parse(self.analysis.interval)
        except ValueError:
            return DEFAULT_INTERVAL
        return max(0.0, min(wanted, LONGEST))

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
        canary = cls.model_validate(body)
        return canary.model_copy(update={"status": canary.status.decoded()})
