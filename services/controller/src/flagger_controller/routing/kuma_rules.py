"""The rules of Kuma's MeshHTTPRoute: built as those of Gateway API, then said in Kuma's words.

Kuma's filters are those of a rule, not of a backend, so it cannot give a version's visitors a
cookie. It has timeouts and retries in policies of their own.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from flagger_controller.api.base import Object
from flagger_controller.api.canary import Canary
from flagger_controller.api.status import Route
from flagger_controller.errors import ConfigError
from flagger_controller.routing import gateway_filters, gateway_rules, http_match, objects
from flagger_controller.routing.gateway_rules import Parts
from flagger_controller.routing.http_match import Dialect

REFERENCES: Final = "flagger.app/kuma-references"
"""Annotation of a Canary: how its MeshHTTPRoute says which services it means.

`names`, which is name and namespace, until Kuma 2.14; `labels` since Kuma 3, which rejects names.
Before, a route with labels holds for clients in its own namespace only.
"""
NAME: Final = "kuma.io/display-name"
NAMESPACE: Final = "k8s.kuma.io/namespace"
"""Labels of a MeshService: the Service that Kuma made it of."""
HTTP: Final = ("http", "http2", "grpc")
"""Protocols of a MeshService that has routes; it is that of the port of its Service."""
_DIALECT: Final = Dialect("a MeshHTTPRoute", {**http_match.VALUE_TYPES, "prefix": "Prefix"})
_MODIFIERS: Final = ("requestHeaderModifier", "responseHeaderModifier")


def rules(canary: Canary, route: Route) -> list[Object]:
    """The rules for our service, the most special first.

    Raises:
        ConfigError: a MeshHTTPRoute cannot express what the Canary asks for.
    """
    _check_service(canary)
    service = objects.service_of(canary)
    matches = http_match.gateway_matches(service.match, _DIALECT)
    filters = gateway_filters.service_filters(service, cors=False)
    parts = Parts(matches, filters, dialect=_DIALECT)
    built = gateway_rules.split(canary, route, parts, primary_cookie=False)
    return [_rule(canary, rule) for rule in built]


def apex(canary: Canary) -> Object:
    """The reference to the port of the apex Service, by the name of the port."""
    section = objects.service_of(canary).port_name or "http"
    reference = _reference(canary, canary.apex_service, canary.namespace)
    return reference | {"sectionName": section}


def name_of(reference: Mapping[str, Any] | None) -> str:
    """The Service that is referred to, in either form."""
    given = reference or {}
    return str(given.get("name") or (given.get("labels") or {}).get(NAME))


def as_gateway(rule: Object) -> Object:
    """A live rule as Gateway API says it, as far as we read it."""
    default = rule.get("default") or {}
    mirrors = [entry.get("requestMirror") or {} for entry in objects.items(default.get("filters"))]
    return {
        "backendRefs": [
            {"name": name_of(entry), "weight": entry.get("weight")}
            for entry in objects.items(default.get("backendRefs"))
        ],
        "filters": [
            {"requestMirror": {"backendRef": {"name": name_of(mirror.get("backendRef"))}}}
            for mirror in mirrors
        ],
    }


def rule_on(old: Object, built: Object) -> Object:
    """A rule on a live one, with what others added to it and to its backends."""
    default = old.get("default") or {}
    known = {name_of(entry): entry for entry in objects.items(default.get("backendRefs"))}
    backends = [
        objects.patched(known.get(name_of(entry), {}), entry)
        for entry in built["default"]["backendRefs"]
    ]
    owned = built["default"] | {"backendRefs": backends}
    return objects.patched(old, built | {"default": objects.patched(default, owned)})


def _check_service(canary: Canary) -> None:
    service = objects.service_of(canary)
    if service.app_protocol not in HTTP:
        raise ConfigError(
            f"spec.service.appProtocol is {service.app_protocol or 'not set'}: use one of "
            f"{', '.join(HTTP)}, as Kuma ignores a MeshHTTPRoute for other MeshServices"
        )
    for name, given, remedy in (
        ("timeout", service.timeout, "use a MeshTimeout"),
        ("backendTimeout", service.backend_timeout, "use a MeshTimeout"),
        ("retries", service.retries, "use a MeshRetry"),
        ("corsPolicy", service.cors_policy, "answer such requests in the application"),
        ("headless", service.headless, "Kuma makes a MeshService of each pod"),
    ):
        if given:
            raise ConfigError(
                f"spec.service.{name} does not exist in a MeshHTTPRoute: remove it ({remedy})"
            )


def _rule(canary: Canary, rule: Object) -> Object:
    """A rule of Gateway API, as Kuma says it."""
    matches = [_match(match) for match in rule["matches"]]
    filters = [_filter(canary, entry) for entry in objects.items(rule["filters"])]
    _check_prefix_rewrite(matches, filters)
    return {
        "matches": matches,
        "default": {
            "filters": filters or None,
            "backendRefs": [_backend(canary, entry) for entry in rule["backendRefs"]],
        },
    }


def _check_prefix_rewrite(matches: Sequence[Object], filters: Sequence[Object]) -> None:
    paths = [(entry.get("urlRewrite") or {}).get("path") or {} for entry in filters]
    replaced = any(path.get("type") == "ReplacePrefixMatch" for path in paths)
    if replaced and {match["path"]["type"] for match in matches} != {"PathPrefix"}:
        raise ConfigError(
            "spec.service.rewrite.type ReplacePrefixMatch needs a uri.prefix in every match"
        )


def _match(match: Object) -> Object:
    path = match["path"]
    if path["type"] == "PathPrefix":
        path = path | {"value": path["value"].rstrip("/") or "/"}  # Kuma refuses what it ignores
    headers = {"headers": _lowered(match["headers"])} if "headers" in match else {}
    return match | {"path": path} | headers


def _filter(canary: Canary, entry: Object) -> Object:
    if mirror := entry.get("requestMirror"):
        copied: Object = {"backendRef": objects.patched({}, _mirror(canary, mirror["backendRef"]))}
        if "percent" in mirror:
            copied["percentage"] = mirror["percent"]
        return entry | {"requestMirror": copied}
    return entry | {member: _modifier(entry[member]) for member in _MODIFIERS if member in entry}


def _modifier(modifier: Object) -> Object:
    names = ("add", "set")
    return modifier | {name: _lowered(modifier[name]) for name in names if name in modifier}


def _lowered(headers: Sequence[Object]) -> list[Object]:
    """Kuma has header names in lower case, and of two conditions on one header reads the first.

    Raises:
        ConfigError: a header is named twice.
    """
    lowered = {header["name"].lower(): header for header in headers}
    if len(lowered) < len(headers):
        raise ConfigError(f"one of the headers {', '.join(lowered)} is named twice: name it once")
    return [header | {"name": name} for name, header in lowered.items()]


def _mirror(canary: Canary, backend: Object) -> Object:
    if backend["kind"] != "Service" or not backend.get("port"):
        raise ConfigError("spec.service.mirror: a MeshHTTPRoute mirrors to a port of a Service")
    return _backend(canary, {"weight": 1, **backend})


def _backend(canary: Canary, entry: Object) -> Object:
    """A backend; with a port it is a MeshService, without one Kuma takes its name for a tag."""
    reference = _reference(canary, entry["name"], entry.get("namespace") or canary.namespace)
    return reference | {"port": entry["port"], "weight": entry["weight"]}


def _reference(canary: Canary, name: str, namespace: str) -> Object:
    """A MeshService in one form, and without the other."""
    service: Object = {"kind": "MeshService", "name": None, "namespace": None, "labels": None}
    if canary.metadata.annotations.get(REFERENCES) == "labels":
        return service | {"labels": {NAME: name, NAMESPACE: namespace}}
    return service | {"name": name, "namespace": namespace}
