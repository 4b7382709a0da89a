"""The filters of Gateway API rules, built from `spec.service` (routing.md 7.2)."""

from collections.abc import Mapping, Sequence
from typing import Any

from flagger_common import durations
from flagger_controller.api.base import Object
from flagger_controller.api.canary import LONGEST, CanaryService
from flagger_controller.routing.affinity import SET_COOKIE

CORS_MAX_AGE = 5
"""Seconds; the schema's default, written out so that it is no drift."""
_CORS_LISTS = {
    "allowOrigin": "allowOrigins",
    "allowMethods": "allowMethods",
    "allowHeaders": "allowHeaders",
    "exposeHeaders": "exposeHeaders",
}


def service_filters(service: CanaryService, *, cors: bool) -> list[Object]:
    """Headers, rewrite, static mirrors and CORS, in this order."""
    headers = service.headers or {}
    filters = [
        _headers("RequestHeaderModifier", "requestHeaderModifier", headers.get("request")),
        _headers("ResponseHeaderModifier", "responseHeaderModifier", headers.get("response")),
        _rewrite(service.rewrite or {}),
        *(mirror(entry.get("backendRef") or {}) for entry in service.mirror),
        _cors(service.cors_policy) if cors else {},
    ]
    return [entry for entry in filters if entry]


def mirror(backend: Mapping[str, Any], percent: int | None = None) -> Object:
    """Copy requests to a backend and ignore its answers: all of them, or some percent."""
    copied: Object = {"backendRef": {"group": "", "kind": "Service", **backend}}
    if percent is not None:
        copied["percent"] = percent
    return {"type": "RequestMirror", "requestMirror": copied}


def set_cookie(text: str) -> Object:
    """Add a Set-Cookie header to answers."""
    add = [{"name": SET_COOKIE, "value": text}]
    return {"type": "ResponseHeaderModifier", "responseHeaderModifier": {"add": add}}


def only_sets_cookie(entry: Mapping[str, Any]) -> bool:
    """Is a filter one that `set_cookie` made?"""
    added = (entry.get("responseHeaderModifier") or {}).get("add") or [{}]
    return dict(entry) == set_cookie(str(added[0].get("value")))


def with_cookie(filters: Sequence[Object], text: str) -> list[Object]:
    """These filters, and one that adds a Set-Cookie header.

    A rule may have one ResponseHeaderModifier only. Upstream appends a second, which the API
    server rejects: the canary can then neither be promoted nor rolled back (S8).
    """
    cookie = set_cookie(text)
    kind, member = cookie["type"], "responseHeaderModifier"
    if all(entry["type"] != kind for entry in filters):
        return [*filters, cookie]
    return [
        entry | {member: _added(entry[member], cookie[member]["add"])}
        if entry["type"] == kind
        else entry
        for entry in filters
    ]


def _added(modifier: Mapping[str, Any], headers: Sequence[Object]) -> Object:
    names = {header["name"].lower() for header in headers}
    kept = [entry for entry in modifier.get("add") or () if entry["name"].lower() not in names]
    return {**modifier, "add": [*kept, *headers]}


def _headers(kind: str, member: str, operations: Mapping[str, Any] | None) -> Object:
    if not operations:
        return {}
    modifier: Object = {}
    for operation in ("add", "set"):
        if values := operations.get(operation):
            modifier[operation] = [{"name": name, "value": values[name]} for name in sorted(values)]
    if operations.get("remove"):
        modifier["remove"] = list(operations["remove"])
    return {"type": kind, member: modifier} if modifier else {}


def _rewrite(rewrite: Mapping[str, Any]) -> Object:
    result: Object = {}
    if rewrite.get("authority"):
        result["hostname"] = rewrite["authority"]
    if rewrite.get("uri"):
        prefix = rewrite.get("type") == "ReplacePrefixMatch"
        kind, member = (
            ("ReplacePrefixMatch", "replacePrefixMatch")
            if prefix
            else ("ReplaceFullPath", "replaceFullPath")
        )
        result["path"] = {"type": kind, member: rewrite["uri"]}
    return {"type": "URLRewrite", "urlRewrite": result} if result else {}


def _cors(policy: Mapping[str, Any] | None) -> Object:
    if not policy:
        return {}
    cors: Object = {
        theirs: list(policy[ours]) for ours, theirs in _CORS_LISTS.items() if policy.get(ours)
    }
    if policy.get("allowCredentials"):
        cors["allowCredentials"] = True
    cors["maxAge"] = _whole_seconds(policy.get("maxAge") or "") or CORS_MAX_AGE
    return {"type": "CORS", "cors": cors}


def _whole_seconds(text: str) -> int:
    try:
        return int(max(0.0, min(durations.parse(text), LONGEST)))
    except ValueError:
        return 0
