"""The contract of routers: who moves the traffic (spec/routing.md section 3).

Pure: objects in, objects out. Fetching, comparing and writing live once, in `tick/converge.py`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from flagger_controller.api.base import Object
from flagger_controller.api.canary import Canary
from flagger_controller.api.status import Route
from flagger_controller.api.traits import Traits
from flagger_controller.cluster.client import Ref, Resource
from flagger_controller.errors import ConfigError

Objects = Mapping[Ref, Object]
"""Live objects by reference; an object that does not exist has no entry."""


@dataclass(frozen=True)
class Capabilities:
    """What a provider can express; what it cannot is refused before any traffic moves."""

    weights: bool = True
    match: bool = False
    match_weights: bool = True
    """A share of the requests that meet the conditions; without it all of them or none."""
    mirror: bool = False
    """Mirroring, as a step of the weighted strategy and during the iterations of Blue/Green."""
    mirror_weight: bool = False
    session_affinity: bool = False
    early: tuple[Resource, ...] = ()
    """Kinds that exist before the primary's pods, which get their proxy by them (section 3.2)."""
    needs: tuple[str, str] | None = None
    """Annotation and value without which a Canary has weights only."""

    def of(self, annotations: Mapping[str, str]) -> "Capabilities":
        """What there is for a Canary with these annotations."""
        if self.needs is None or annotations.get(self.needs[0]) == self.needs[1]:
            return self
        return Capabilities()


@dataclass(frozen=True)
class RouterSettings:
    """Flags that concern routers."""

    ingress_annotations_prefix: str = "nginx.ingress.kubernetes.io"
    ingress_class: str = ""
    own_references: bool = True
    """False when routes live in another cluster than the Canary."""
    target_mesh: str = ""
    """What the provider's name ends with, as in `smi:v1alpha1:istio`; set by `router_for`."""


class Router(Protocol):
    """One provider."""

    capabilities: Capabilities

    def refs(self, canary: Canary) -> tuple[Ref, ...]:
        """Every object that this router reads or writes."""
        ...

    def referenced(self, canary: Canary) -> tuple[Ref, ...]:
        """Those of them that the user made and the Canary names: without them there is no route."""
        ...

    def desired(
        self, canary: Canary, traits: Traits, route: Route, live: Objects
    ) -> Mapping[Ref, Object]:
        """The complete objects for this split, built on the live ones.

        Where live already says the same (apart from server defaults), the live object itself is
        returned unchanged, so that `desired == live` means: nothing to write. Foreign fields,
        unknown fields and users' metadata survive. Raises `ConfigError` for a Canary that this
        provider cannot serve.
        """
        ...

    def read(self, canary: Canary, live: Objects) -> Route | None:
        """The split found in the cluster; None when there is none (adoption, drift)."""
        ...

    def settled(self, canary: Canary, live: Objects) -> str:
        """Empty when the data plane has taken over the route, else why not (a short reason)."""
        ...

    def reverted(self, canary: Canary, live: Objects) -> Mapping[Ref, Object | None]:
        """The objects as they were before the Canary, for `revertOnDeletion`.

        None stands for one that is to be deleted, because a Canary cannot own it.
        """
        ...


def split(primary: int, canary: int, *, mirrored: bool = False) -> Route | None:
    """A split read from weights; None where they do not sum to 100.

    Upstream takes the missing part for granted and can compute a step from two zeros (S33).
    """
    if primary + canary != 100:
        return None
    return Route(primary=primary, canary=canary, mirrored=mirrored)


def refuse_cookies(canary: Canary, provider: str, capabilities: Capabilities) -> None:
    """Refuse session affinity where a provider has none; upstream ignores it.

    Raises:
        ConfigError: the Canary has `analysis.sessionAffinity`.
    """
    if canary.analysis.session_affinity and not capabilities.session_affinity:
        raise ConfigError(
            f"spec.analysis.sessionAffinity cannot be served by provider {provider}: remove it, "
            "or use a provider that sets cookies, such as istio, gatewayapi:v1 or contour"
        )


def refuse_mirror(canary: Canary, provider: str, capabilities: Capabilities) -> None:
    """Refuse mirroring where a provider that moves traffic has none.

    Upstream ignores it: a weighted release never leaves weight 0 (S5), and the iterations of
    Blue/Green test a canary without requests. A provider without weights is told in a warning.

    Raises:
        ConfigError: the Canary has `analysis.mirror`.
    """
    can = capabilities.of(canary.metadata.annotations)
    if canary.analysis.mirror and can.weights and not can.mirror:
        lacking = without(capabilities) if capabilities.mirror else ""
        raise ConfigError(
            f"spec.analysis.mirror cannot be served by provider {provider}{lacking}: remove it, "
            "or use a provider that mirrors requests, such as istio, gatewayapi:v1 or traefik"
        )


def without(capabilities: Capabilities) -> str:
    """What a Canary lacks that has not all capabilities, after the name of its provider."""
    return f" without the annotation {': '.join(capabilities.needs or ())}"


def refuse_match(canary: Canary, provider: str) -> None:
    """Refuse conditions that a provider cannot express.

    Upstream drops them, and the first iteration sends all users to the canary (S7).

    Raises:
        ConfigError: the Canary has `analysis.match`.
    """
    if canary.analysis.match:
        raise ConfigError(
            f"spec.analysis.match cannot be served by provider {provider}: remove it, "
            "or use a provider that routes by request, such as istio or gatewayapi:v1"
        )
