"""Gloo Edge: a RouteTable that the user's VirtualService delegates to, and two Upstreams.

Upstreams select the pods of the generated Services (routing.md 7.9).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from flagger_controller.api.base import Object
from flagger_controller.api.canary import Canary
from flagger_controller.api.status import Route
from flagger_controller.api.traits import Traits
from flagger_controller.cluster import resources
from flagger_controller.cluster.client import Ref
from flagger_controller.errors import ConfigError
from flagger_controller.routing import base, gloo_routes, objects
from flagger_controller.routing.base import Capabilities, Objects, RouterSettings

COPIED: Final = (
    "labels",
    "sslConfig",
    "circuitBreakers",
    "connectionConfig",
    "loadBalancerConfig",
    "useHttp2",
    "initialStreamWindowSize",
    "initialConnectionWindowSize",
    "httpProxyHostName",
)
"""What an Upstream takes over from the one that `spec.upstreamRef` names."""


@dataclass(frozen=True)
class _Refs:
    """Everything that is read or written."""

    primary_service: Ref
    canary_service: Ref
    model: Ref | None
    """The user's Upstream of `spec.upstreamRef`."""
    primary: Ref
    canary: Ref
    table: Ref


class Gloo:
    """Weights, and conditions on headers and query parameters: no mirror, no cookies."""

    capabilities = Capabilities(match=True)

    def __init__(self, settings: RouterSettings) -> None:
        self._settings = settings

    def refs(self, canary: Canary) -> tuple[Ref, ...]:
        """Read: both Services and the user's Upstream. Written: two Upstreams and a RouteTable.

        Raises:
            ConfigError: there is no `spec.service`, whose port is part of the names.
        """
        refs = _refs(canary)
        read = (refs.primary_service, refs.canary_service, refs.model)
        return (*(ref for ref in read if ref), refs.primary, refs.canary, refs.table)

    def referenced(self, canary: Canary) -> tuple[Ref, ...]:
        """The Upstream of the user."""
        model = _refs(canary).model
        return (model,) if model else ()

    def desired(
        self, canary: Canary, traits: Traits, route: Route, live: Objects
    ) -> Mapping[Ref, Object]:
        """Upstreams first, as a RouteTable that names none is rejected.

        Nothing until the Services are there, which the engine makes in the same converge: an
        Upstream needs their selectors.

        Raises:
            ConfigError: Gloo cannot express a condition, an object belongs to another controller,
                or the Upstream of `spec.upstreamRef` is needed and missing.
        """
        refs = _refs(canary)
        found = objects.claimed(canary, refs.table, live)
        spec = objects.spec_of(found)
        routes = gloo_routes.routes(canary, route, refs.primary.name, refs.canary.name)
        owned = {"routes": gloo_routes.on_live(spec.get("routes"), routes)}
        primary = self._upstream(canary, refs.primary, refs.primary_service, live)
        other = self._upstream(canary, refs.canary, refs.canary_service, live)
        if primary is None or other is None:
            return {}
        stamp = objects.apex_stamp(canary, traits, self._settings)
        return {
            refs.primary: primary,
            refs.canary: other,
            refs.table: objects.converged(refs.table, found, stamp, owned),
        }

    def _upstream(self, canary: Canary, ref: Ref, service: Ref, live: Objects) -> Object | None:
        found = objects.claimed(canary, ref, live)
        copied = _copied(canary, live, needed=found is None)
        backend = live.get(service)
        if backend is None:
            return None
        kube = {
            "serviceName": service.name,
            "serviceNamespace": service.namespace,
            "servicePort": objects.service_of(canary).port,
            "selector": objects.spec_of(backend).get("selector"),
        }
        old = objects.spec_of(found).get("kube") or {}
        spec = {**copied, "kube": objects.patched(old, kube)}
        stamp = objects.owner_stamp(canary, self._settings)
        return objects.converged(ref, found, stamp, spec)

    def read(self, canary: Canary, live: Objects) -> Route | None:
        """The first route to our Upstreams tells; the one after it is for everybody else."""
        refs = _refs(canary)
        routes = objects.spec_of(live.get(refs.table)).get("routes")
        for entry in objects.items(routes):
            weights = gloo_routes.weights(entry)
            if refs.primary.name in weights or refs.canary.name in weights:
                return base.split(
                    weights.get(refs.primary.name, 0), weights.get(refs.canary.name, 0)
                )
        return None

    def settled(self, canary: Canary, live: Objects) -> str:
        """Always: Gloo's status does not say which version of a RouteTable it is about."""
        return ""

    def reverted(self, canary: Canary, live: Objects) -> Mapping[Ref, Object]:
        """Nothing: objects that we created go away with the Canary (routing.md section 8)."""
        return {}


def _refs(canary: Canary) -> _Refs:
    namespace, port = canary.namespace, objects.service_of(canary).port
    prefix = f"{namespace}-{canary.apex_service}"
    model = canary.spec.upstream_ref
    return _Refs(
        primary_service=Ref(resources.SERVICES, canary.primary_service, namespace),
        canary_service=Ref(resources.SERVICES, canary.canary_service, namespace),
        model=Ref(resources.UPSTREAMS, model.name, model.namespace or namespace) if model else None,
        primary=Ref(resources.UPSTREAMS, f"{prefix}-primaryupstream-{port}", namespace),
        canary=Ref(resources.UPSTREAMS, f"{prefix}-canaryupstream-{port}", namespace),
        table=Ref(resources.ROUTE_TABLES, canary.apex_service, namespace),
    )


def _copied(canary: Canary, live: Objects, *, needed: bool) -> dict[str, Any]:
    """What follows the user's Upstream; nothing, when it is gone and ours is there (T7)."""
    ref = _refs(canary).model
    if ref is None:
        return {}
    if (model := live.get(ref)) is not None:
        return {name: objects.spec_of(model).get(name) for name in COPIED}
    if needed:
        raise ConfigError(f"{ref} does not exist: create it, or correct spec.upstreamRef")
    return {}
