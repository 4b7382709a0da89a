"""App Mesh, API version v1beta1: VirtualNodes and VirtualServices (routing.md 7.12)."""

from collections.abc import Mapping
from typing import Any, Final

from flagger_controller.api.base import Object
from flagger_controller.api.canary import Canary
from flagger_controller.api.status import Route
from flagger_controller.api.traits import Traits
from flagger_controller.cluster import resources
from flagger_controller.cluster.client import Ref
from flagger_controller.errors import ConfigError
from flagger_controller.routing import appmesh_routes, objects
from flagger_controller.routing.base import Capabilities, Objects, RouterSettings

V1BETA1: Final = appmesh_routes.Dialect(
    http="http",
    target=lambda name: {"virtualNodeName": name},
    name=lambda target: target.get("virtualNodeName"),
    per_try=lambda milliseconds: {"perRetryTimeoutMillis": milliseconds},
    timeout=lambda milliseconds: None,
)


class AppMesh:
    """Weights, and conditions on headers: no mirror, no cookies."""

    capabilities = Capabilities(match=True, early=(resources.APPMESH_NODES_1,))

    def __init__(self, settings: RouterSettings) -> None:
        self._settings = settings

    def refs(self, canary: Canary) -> tuple[Ref, ...]:
        """Nodes of apex, primary and canary, then the VirtualServices of apex and canary."""
        nodes = (canary.apex_service, canary.primary_service, canary.canary_service)
        return (
            *(Ref(resources.APPMESH_NODES_1, name, canary.namespace) for name in nodes),
            *(
                Ref(resources.APPMESH_SERVICES_1, f"{name}.{canary.namespace}", canary.namespace)
                for name in (canary.apex_service, canary.canary_service)
            ),
        )

    def referenced(self, canary: Canary) -> tuple[Ref, ...]:
        """None: all objects are made here."""
        return ()

    def desired(
        self, canary: Canary, traits: Traits, route: Route, live: Objects
    ) -> Mapping[Ref, Object]:
        """All five objects; only the VirtualService of the apex carries the split.

        Raises:
            ConfigError: no mesh is named, App Mesh cannot express a condition, or an object
                belongs to another controller.
        """
        if not objects.service_of(canary).mesh_name:
            raise ConfigError("spec.service.meshName is missing: name the mesh of App Mesh")
        apex, primary, other, main, tested = self.refs(canary)
        stamp, told, owner = appmesh_routes.stamps(canary, traits, self._settings)
        hosts = {apex: primary, primary: primary, other: other}
        routes = appmesh_routes.routes(canary, route, V1BETA1)
        fixed = appmesh_routes.canary_routes(canary, V1BETA1)
        return {
            **{ref: _node(canary, ref, hosts[ref].name, stamp, live) for ref in hosts},
            main: _service(canary, main, canary.apex_service, told, routes, live),
            tested: _service(canary, tested, canary.canary_service, owner, fixed, live),
        }

    def read(self, canary: Canary, live: Objects) -> Route | None:
        """The weights of the first route of the apex's VirtualService."""
        main = live.get(self.refs(canary)[3])
        return appmesh_routes.split(canary, objects.spec_of(main).get("routes"), V1BETA1)

    def settled(self, canary: Canary, live: Objects) -> str:
        """Always: nothing is asked of App Mesh."""
        return ""

    def reverted(self, canary: Canary, live: Objects) -> Mapping[Ref, Object]:
        """Nothing: objects that we created go away with the Canary (routing.md section 8)."""
        return {}


def _node(canary: Canary, ref: Ref, host: str, stamp: objects.Stamp, live: Objects) -> Object:
    found = objects.claimed(canary, ref, live)
    old, service = objects.spec_of(found), objects.service_of(canary)
    backends = [{"virtualService": {"virtualServiceName": name}} for name in service.backends]
    dns = {"hostName": f"{host}.{canary.namespace}"}
    spec = {
        "meshName": service.mesh_name,
        "listeners": appmesh_routes.listener(old.get("listeners"), service.port, canary),
        "serviceDiscovery": {"dns": dns},
        "backends": backends or None,
        "logging": appmesh_routes.access_log(canary),
    }
    return objects.converged(ref, found, stamp, spec)


def _service(
    canary: Canary,
    ref: Ref,
    router: str,
    stamp: objects.Stamp,
    routes: list[Object],
    live: Objects,
) -> Object:
    found = objects.claimed(canary, ref, live)
    old, service = objects.spec_of(found), objects.service_of(canary)
    there: Mapping[str, Any] = old.get("virtualRouter") or {}
    listeners = appmesh_routes.listener(there.get("listeners"), service.port, canary)
    spec = {
        "meshName": service.mesh_name,
        "virtualRouter": objects.patched(dict(there), {"name": router, "listeners": listeners}),
        "routes": appmesh_routes.on_live(old.get("routes"), routes, V1BETA1),
    }
    return objects.converged(ref, found, stamp, spec)
