"""Who moves the traffic: one file a provider, listed here by the name users write."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from importlib import import_module
from typing import Final, cast

from flagger_controller.errors import ConfigError
from flagger_controller.routing.base import Router, RouterSettings

ROUTERS: Final[Mapping[str, str]] = {
    "apisix": "flagger_controller.routing.apisix:Apisix",
    "appmesh": "flagger_controller.routing.appmesh:AppMesh",
    "appmesh:v1beta2": "flagger_controller.routing.appmesh_v1beta2:AppMesh",
    "contour": "flagger_controller.routing.contour:Contour",
    "gatewayapi": "flagger_controller.routing.gatewayapi:v1",
    "gatewayapi:v1": "flagger_controller.routing.gatewayapi:v1",
    "gatewayapi:v1beta1": "flagger_controller.routing.gatewayapi:v1beta1",
    "gloo": "flagger_controller.routing.gloo:Gloo",
    "istio": "flagger_controller.routing.istio:Istio",
    "knative": "flagger_controller.routing.knative:Knative",
    "kubernetes": "flagger_controller.routing.kubernetes:Kubernetes",
    "kuma": "flagger_controller.routing.kuma:Kuma",
    "linkerd": "flagger_controller.routing.smi:v1alpha1",
    "nginx": "flagger_controller.routing.nginx:Nginx",
    "osm": "flagger_controller.routing.smi:v1alpha2",
    "skipper": "flagger_controller.routing.skipper:Skipper",
    "smi:v1alpha1": "flagger_controller.routing.smi:v1alpha1",
    "smi:v1alpha2": "flagger_controller.routing.smi:v1alpha2",
    "smi:v1alpha3": "flagger_controller.routing.smi:v1alpha3",
    "traefik": "flagger_controller.routing.traefik:Traefik",
}
"""Provider name to `module:factory`; a factory makes a router from `RouterSettings`."""

QUALIFIED: Final = frozenset(
    {"appmesh:v1beta2", "gloo", "smi:v1alpha1", "smi:v1alpha2", "smi:v1alpha3"}
)
"""Names that may be followed by a colon and one more word, as in `smi:v1alpha1:istio`."""


def router_for(provider: str, settings: RouterSettings) -> Router:
    """The router of a provider (routing.md 2.2).

    Names are exact, but for the word after those of `QUALIFIED`. Upstream turned every name it did
    not know into Istio, which then failed on missing CRDs (S39).

    Raises:
        ConfigError: no provider has this name.
    """
    name, mesh = _parts(provider)
    place = ROUTERS.get(name)
    if place is None:
        raise ConfigError(_unknown(provider))
    module, _, factory = place.partition(":")
    make = cast("Callable[[RouterSettings], Router]", getattr(import_module(module), factory))
    return make(replace(settings, target_mesh=mesh))


def _parts(provider: str) -> tuple[str, str]:
    """A name of the registry, and what comes after it."""
    name, _, mesh = provider.rpartition(":")
    return (name, mesh) if name in QUALIFIED else (provider, "")


def _unknown(provider: str) -> str:
    if provider.partition(":")[0] == "supergloo":
        return (
            f'provider "{provider}" does not exist any more: use the provider of the mesh itself, '
            "such as istio, linkerd or appmesh, or gloo for Gloo Edge"
        )
    return f'unknown provider "{provider}": use one of {", ".join(sorted(ROUTERS))}'
