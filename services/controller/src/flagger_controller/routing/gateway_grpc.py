"""A GRPCRoute: what of `spec.service` and of the analysis it can say (routing.md 9.6).

A method of gRPC is a path of HTTP, `/<service>/<method>`, and so `service.match` names it by `uri`.
What a GRPCRoute does not have is refused: a Canary gets one only if it asks for it.
"""

import re
from collections.abc import Mapping
from typing import Any, Final

from flagger_controller.api.base import Object
from flagger_controller.api.canary import Canary
from flagger_controller.api.status import Route
from flagger_controller.cluster import resources
from flagger_controller.errors import ConfigError
from flagger_controller.routing import gateway_filters, gateway_rules, http_match, objects

ROUTE: Final = "flagger.app/gateway-route"
"""Annotation of a Canary: the kind of its generated route, HTTPRoute unless it is GRPCRoute.

Not `service.appProtocol`: upstream makes an HTTPRoute whatever it says, and two kinds of routes for
one host exclude each other.
"""
KINDS: Final = (resources.HTTP_ROUTES.kind, resources.GRPC_ROUTES.kind)
_METHOD: Final = re.compile(r"/([^/]+)/([^/]+)")
_SERVICE: Final = re.compile(r"/([^/]+)/?")


def asked(canary: Canary) -> bool:
    """Is the generated route to be a GRPCRoute?"""
    return canary.metadata.annotations.get(ROUTE) == resources.GRPC_ROUTES.kind


def check_kind(canary: Canary) -> None:
    """Refuse kinds that nobody knows.

    Raises:
        ConfigError: the annotation names another kind.
    """
    kind = canary.metadata.annotations.get(ROUTE, KINDS[0])
    if kind not in KINDS:
        raise ConfigError(f"annotation {ROUTE}: {kind} cannot be generated: use GRPCRoute")


def check_analysis(canary: Canary) -> None:
    """Refuse what no GRPCRoute can do, generated or the user's own.

    Raises:
        ConfigError: cookies, or conditions on query parameters.
    """
    analysis = canary.analysis
    if analysis.session_affinity:
        raise ConfigError(
            "spec.analysis.sessionAffinity cannot be served by a GRPCRoute: "
            "gRPC clients keep no cookies"
        )
    if any(condition.get("queryParams") for condition in analysis.match):
        raise ConfigError("spec.analysis.match: a GRPCRoute has no queryParams, use headers")


def rules(canary: Canary, route: Route) -> list[Object]:
    """The rules of a GRPCRoute of our own, from `spec.service`.

    Raises:
        ConfigError: a GRPCRoute cannot express what the Canary asks for.
    """
    check_analysis(canary)
    service = objects.service_of(canary)
    for name, given in (
        ("rewrite", service.rewrite),
        ("corsPolicy", service.cors_policy),
        ("timeout", service.timeout),
        ("backendTimeout", service.backend_timeout),
        ("retries", service.retries),
    ):
        if given:
            raise ConfigError(f"spec.service.{name} does not exist in a GRPCRoute: remove it")
    matches = [
        _match(match, f"spec.service.match[{index}]") for index, match in enumerate(service.match)
    ]
    filters = gateway_filters.service_filters(service, cors=False)
    parts = gateway_rules.Parts(matches or [{}], filters)
    return gateway_rules.split(canary, route, parts, primary_cookie=False)


def _match(match: Object, place: str) -> Object:
    uri = match.get("uri")
    mapped = http_match.gateway_match(
        {name: value for name, value in match.items() if name != "uri"}, place
    )
    for name in ("method", "queryParams"):
        if name in mapped:
            raise ConfigError(f"{place}.{name} does not exist in a GRPCRoute: remove it")
    if not (uri or mapped):
        raise ConfigError(f"{place} says nothing that a GRPCRoute has: give it a uri or headers")
    return mapped | (_method(uri, f"{place}.uri") if uri else {})


def _method(uri: Mapping[str, Any], place: str) -> Object:
    """The method, or all methods of a service, or everything."""
    exact, prefix = str(uri.get("exact") or ""), str(uri.get("prefix") or "")
    if prefix == "/":
        return {}
    if found := _METHOD.fullmatch(exact):
        return {"method": {"type": "Exact", "service": found[1], "method": found[2]}}
    if found := _SERVICE.fullmatch(prefix):
        return {"method": {"type": "Exact", "service": found[1]}}
    raise ConfigError(
        f"{place} is no method of gRPC: "
        "use exact /<service>/<method>, prefix /<service>/, or prefix /"
    )
