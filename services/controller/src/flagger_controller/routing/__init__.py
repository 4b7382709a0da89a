"""Who moves the traffic: one file a provider, listed here by the name users write."""

from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Final, cast

from flagger_controller.errors import ConfigError
from flagger_controller.routing.base import Router, RouterSettings

ROUTERS: Final[Mapping[str, str]] = {
    "apisix": "flagger_controller.routing.apisix:Apisix",
    "gatewayapi": "flagger_controller.routing.gatewayapi:v1",
    "gatewayapi:v1": "flagger_controller.routing.gatewayapi:v1",
    "gatewayapi:v1beta1": "flagger_controller.routing.gatewayapi:v1beta1",
    "istio": "flagger_controller.routing.istio:Istio",
    "knative": "flagger_controller.routing.knative:Knative",
    "kubernetes": "flagger_controller.routing.kubernetes:Kubernetes",
    "nginx": "flagger_controller.routing.nginx:Nginx",
    "skipper": "flagger_controller.routing.skipper:Skipper",
    "traefik": "flagger_controller.routing.traefik:Traefik",
}
"""Provider name to `module:factory`; a factory makes a router from `RouterSettings`."""


def router_for(provider: str, settings: RouterSettings) -> Router:
    """The router of a provider (routing.md 2.2).

    Names are exact. Upstream turned every name it did not know into Istio, which then failed on
    missing CRDs (S39).

    Raises:
        ConfigError: no provider has this name.
    """
    place = ROUTERS.get(provider)
    if place is None:
        raise ConfigError(f'unknown provider "{provider}": use one of {", ".join(sorted(ROUTERS))}')
    module, _, factory = place.partition(":")
    make = cast("Callable[[RouterSettings], Router]", getattr(import_module(module), factory))
    return make(settings)
