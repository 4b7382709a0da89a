"""Which built-in queries judge a canary (metrics.md section 3); pure."""

from typing import Final

from flagger_controller.api.canary import Canary, Metric
from flagger_controller.errors import ConfigError
from flagger_controller.metrics.builtin import OBSERVERS, Observer

_BY_NAME: Final = {
    "linkerd": "linkerd",
    "istio": "istio",
    "contour": "contour",
    "nginx": "nginx",
    "kubernetes": "http",
    "skipper": "skipper",
    "traefik": "traefik",
    "osm": "osm",
    "kuma": "kuma",
    "apisix": "apisix",
    "knative": "knative",
    "crossover": "istio",
}
_BY_PREFIX: Final = {
    "appmesh": "appmesh",
    "gloo": "gloo",
    "gatewayapi": "http",
    "smi:": "istio",
}
_SERVICE_SUFFIX: Final = ":service"
STATISTIC: Final = "statistic"
"""Template variable of `request-duration` that asks for another statistic than the usual one."""


def provider_string(canary: Canary, mesh_provider: str) -> str:
    """The name of the metrics provider as messages show it.

    Args:
        canary: whose own provider has precedence, unless the mesh is Linkerd.
        mesh_provider: value of the flag of that name.
    """
    provider = "crossover" if "crossover" in mesh_provider else mesh_provider
    if canary.spec.provider:
        provider = "linkerd" if "linkerd" in mesh_provider else canary.spec.provider
    if canary.spec.target_ref.kind == "Service" and not canary.on_knative:
        provider += _SERVICE_SUFFIX
    return provider


def observer(provider: str) -> Observer:
    """The queries for a provider string.

    Service targets are judged by their own provider's queries; upstream takes Istio's for most
    of them (sharp edge M2).

    Raises:
        ConfigError: nobody knows the provider. It does not turn into Istio.
    """
    name = provider.removesuffix(_SERVICE_SUFFIX)
    found = _BY_NAME.get(name)
    for prefix, key in _BY_PREFIX.items():
        if found is None and name.startswith(prefix):
            found = key
    if found is None:
        raise ConfigError(
            f'no built-in metrics for provider "{name}": use a MetricTemplate, or one of'
            f" {', '.join(sorted(_BY_NAME))}"
        )
    return OBSERVERS[found]


def duration(found: Observer, metric: Metric) -> str:
    """The query for the request duration, in the statistic that the metric asks for.

    Raises:
        ConfigError: the data plane does not know it. It does not turn into another one.
    """
    wanted = metric.template_variables.get(STATISTIC, found.statistic)
    known = {found.statistic: found.duration, **found.further}
    if wanted not in known:
        raise ConfigError(
            f'templateVariables.{STATISTIC} of {metric.name}: {found.name} has no "{wanted}",'
            f" use {' or '.join(known)}"
        )
    return known[wanted]
