"""App Mesh, API version v1beta2: nodes that select pods, routers and services (routing.md 7.13)."""

from collections.abc import Mapping
from typing import Final

from flagger_controller.api.base import Object
from flagger_controller.api.canary import Canary
from flagger_controller.api.status import Route
from flagger_controller.api.traits import Selector, Traits
from flagger_controller.cluster import resources
from flagger_controller.cluster.client import Ref
from flagger_controller.errors import ConfigError
from flagger_controller.routing import appmesh_routes, objects
from flagger_controller.routing.base import Capabilities, Objects, RouterSettings

ARN: Final = "arn:aws"
"""What the name of a backend begins with that lives in another account."""


def _milliseconds(value: int) -> Object:
    return {"unit": "ms", "value": value}


V1BETA2: Final = appmesh_routes.Dialect(
    http="httpRoute",
    target=lambda name: {"virtualNodeRef": {"name": name}},
    name=lambda target: (target.get("virtualNodeRef") or {}).get("name"),
    per_try=lambda milliseconds: {"perRetryTimeout": _milliseconds(milliseconds)},
    timeout=lambda milliseconds: {"perRequest": _milliseconds(milliseconds)},
)


class AppMesh:
    """Weights, and conditions on headers: no mirror, no cookies."""

    capabilities = Capabilities(match=True, early=(resources.APPMESH_NODES_2,))

    def __init__(self, settings: RouterSettings) -> None:
        self._settings = settings

    def refs(self, canary: Canary) -> tuple[Ref, ...]:
        """Nodes of primary and canary, then router and service of the apex and of the canary."""
        kinds = (resources.APPMESH_ROUTERS_2, resources.APPMESH_SERVICES_2)
        nodes = (canary.primary_service, canary.canary_service)
        return (
            *(Ref(resources.APPMESH_NODES_2, name, canary.namespace) for name in nodes),
            *(Ref(kind, canary.apex_service, canary.namespace) for kind in kinds),
            *(Ref(kind, canary.canary_service, canary.namespace) for kind in kinds),
        )

    def referenced(self, canary: Canary) -> tuple[Ref, ...]:
        """None: all objects are made here."""
        return ()

    def desired(
        self, canary: Canary, traits: Traits, route: Route, live: Objects
    ) -> Mapping[Ref, Object]:
        """All six objects; only the VirtualRouter of the apex carries the split.

        Raises:
            ConfigError: the target has no label that its pods are selected by, App Mesh cannot
                express a condition, or an object belongs to another controller.
        """
        routes = appmesh_routes.routes(canary, route, V1BETA2)
        selector = traits.selector
        if selector is None:
            raise ConfigError(
                "spec.targetRef: provider appmesh:v1beta2 selects pods, which a Service as target "
                "does not have: use the Deployment or DaemonSet behind it"
            )
        primary, other, router, main, canary_router, canary_main = self.refs(canary)
        stamp, told, owner = appmesh_routes.stamps(canary, traits, self._settings)
        fixed = appmesh_routes.canary_routes(canary, V1BETA2)
        ours = Selector(selector.key, selector.primary)
        return {
            primary: _node(canary, primary, ours, stamp, live),
            other: _node(canary, other, selector, stamp, live),
            router: _router(canary, router, owner, routes, live),
            main: _service(canary, main, told, live),
            canary_router: _router(canary, canary_router, owner, fixed, live),
            canary_main: _service(canary, canary_main, owner, live),
        }

    def read(self, canary: Canary, live: Objects) -> Route | None:
        """The weights of the first route of the apex's VirtualRouter."""
        router = live.get(self.refs(canary)[2])
        return appmesh_routes.split(canary, objects.spec_of(router).get("routes"), V1BETA2)

    def settled(self, canary: Canary, live: Objects) -> str:
        """Always: nothing is asked of App Mesh."""
        return ""

    def reverted(self, canary: Canary, live: Objects) -> Mapping[Ref, Object]:
        """Nothing: objects that we created go away with the Canary (routing.md section 8)."""
        return {}


def _node(
    canary: Canary, ref: Ref, selector: Selector, stamp: objects.Stamp, live: Objects
) -> Object:
    found = objects.claimed(canary, ref, live)
    old, service = objects.spec_of(found), objects.service_of(canary)
    timeout = appmesh_routes.milliseconds(service.timeout)
    limit = None if timeout is None else {"http": V1BETA2.timeout(timeout)}
    port = _container_port(canary)
    listeners = appmesh_routes.listener(old.get("listeners"), port, canary, timeout=limit)
    host = f"{ref.name}.{canary.namespace}.svc.cluster.local."
    spec = {
        "podSelector": {"matchLabels": {selector.key: selector.value}},
        "listeners": listeners,
        "serviceDiscovery": {"dns": {"hostname": host}},
        "backends": [{"virtualService": _backend(name)} for name in service.backends] or None,
        "logging": appmesh_routes.access_log(canary),
    }
    return objects.converged(ref, found, stamp, spec)


def _backend(name: str) -> Object:
    if name.startswith(ARN):
        return {"virtualServiceARN": name}
    return {"virtualServiceRef": {"name": name}}


def _router(
    canary: Canary, ref: Ref, stamp: objects.Stamp, routes: list[Object], live: Objects
) -> Object:
    found = objects.claimed(canary, ref, live)
    old = objects.spec_of(found)
    port = _container_port(canary)
    spec = {
        "listeners": appmesh_routes.listener(old.get("listeners"), port, canary),
        "routes": appmesh_routes.on_live(old.get("routes"), routes, V1BETA2),
    }
    return objects.converged(ref, found, stamp, spec)


def _service(canary: Canary, ref: Ref, stamp: objects.Stamp, live: Objects) -> Object:
    """Served by the router of the same name, and by nothing else."""
    found = objects.claimed(canary, ref, live)
    provider = objects.spec_of(found).get("provider") or {}
    router = (provider.get("virtualRouter") or {}).get("virtualRouterRef") or {}
    named = {"virtualRouterRef": objects.patched(router, {"name": ref.name})}
    owned = {"virtualRouter": named, "virtualNode": None}
    return objects.converged(ref, found, stamp, {"provider": objects.patched(provider, owned)})


def _container_port(canary: Canary) -> int:
    """App Mesh wants the port of the pods; one that is named there is not known here."""
    service = objects.service_of(canary)
    target = service.target_port
    return target if isinstance(target, int) and target > 0 else service.port
