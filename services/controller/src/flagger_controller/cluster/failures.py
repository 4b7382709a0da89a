"""How failures of the Kubernetes API are told apart, and what each text says; data, no I/O."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Final


class Kind(StrEnum):
    """What went wrong; the value of the key `error` in log lines."""

    UNAUTHORIZED = "unauthorized"
    """401: who we are is not accepted."""
    FORBIDDEN = "forbidden"
    """403: a right is missing."""
    DENIED = "denied"
    """403: a policy, a quota or a webhook of the cluster refused it."""
    TERMINATING = "terminating"
    """403: the namespace is being deleted, and with it everything in it."""
    NOT_FOUND = "not found"
    NOT_SERVED = "not served"
    """404: the whole kind does not exist."""
    CONFLICT = "conflict"
    """409: the resourceVersion is stale, or the object exists already."""
    EXPIRED = "expired"
    """410: what was asked for is older than the server's history."""
    INVALID = "invalid"
    """422: the object does not fit its schema or its rules."""
    REJECTED = "rejected"
    """Any other 4xx."""
    BUSY = "busy"
    """429: asked not to call for a while."""
    UNAVAILABLE = "unavailable"
    """5xx, also of a webhook that the server asks."""
    TIMEOUT = "timeout"
    """No answer in time, on our side or the server's."""
    UNREACHABLE = "unreachable"
    TLS = "tls"
    DNS = "dns"
    UNREADABLE = "unreadable"
    """The answer does not come from an API server."""


TEXTS: Final[Mapping[Kind, str]] = {
    Kind.UNAUTHORIZED: "{call}: {message}: the API server does not accept our credentials; "
    "renew the token or certificate in the kubeconfig, or the pod's service account",
    Kind.FORBIDDEN: "{message}; add to the controller's role: {rule}",
    Kind.DENIED: "{call}: {message}; a policy, a quota or a webhook of the cluster, or a proxy "
    "before it, refused this",
    Kind.TERMINATING: "{message}",
    Kind.NOT_FOUND: "{message}",
    Kind.NOT_SERVED: "{call}: {message}; the API server does not serve this kind: install its "
    "CustomResourceDefinition",
    Kind.CONFLICT: "{message}",
    Kind.EXPIRED: "{call}: {message}",
    Kind.INVALID: "{call}: {message}",
    Kind.REJECTED: "{call}: {message}",
    Kind.BUSY: "{call}: the API server is busy: {message}",
    Kind.UNAVAILABLE: "{call}: {message}",
    Kind.TIMEOUT: "{call}: {message}",
    Kind.UNREACHABLE: "{call}: no connection to the API server: {message}",
    Kind.TLS: "{call}: no trusted connection to the API server: {message}; "
    "check certificate-authority in the kubeconfig, and the server's certificate",
    Kind.DNS: "{call}: the name of the API server cannot be resolved: {message}; "
    "check the server's address and the cluster's DNS",
    Kind.UNREADABLE: "{call}: unreadable answer from the API server: {message}; "
    "check the server's address and the proxies before it",
}
"""What people read. The server's own message names the object where there is no call."""

QUIET: Final = frozenset({Kind.CONFLICT, Kind.EXPIRED, Kind.TERMINATING})
"""Part of normal life: nobody has to do anything."""

_STATUSES: Final[Mapping[int, Kind]] = {
    401: Kind.UNAUTHORIZED,
    404: Kind.NOT_FOUND,
    408: Kind.TIMEOUT,
    409: Kind.CONFLICT,
    410: Kind.EXPIRED,
    422: Kind.INVALID,
    429: Kind.BUSY,
    504: Kind.TIMEOUT,
}
_REASONS: Final[Mapping[str, Kind]] = {
    "Timeout": Kind.TIMEOUT,
    "ServerTimeout": Kind.TIMEOUT,
    "Unreadable": Kind.UNREADABLE,
    "TLS": Kind.TLS,
    "DNS": Kind.DNS,
}
"""Reasons of servers for 5xx, and our own where there was no answer."""
_NOT_SERVED: Final = ("the server could not find the requested resource", "404 page not found")


def kind_of(status: int, reason: str, message: str) -> Kind:
    """What an answer means.

    Args:
        status: HTTP status; 0 when there was no answer.
        reason: of a Kubernetes Status, or ours when there was no answer.
        message: of the Status.
    """
    if status == 403:
        return _refusal(message)
    if status == 404 and message.startswith(_NOT_SERVED):
        return Kind.NOT_SERVED
    if status in _STATUSES:
        return _STATUSES[status]
    if 400 <= status < 500:
        return Kind.REJECTED
    return _REASONS.get(reason, Kind.UNAVAILABLE if status else Kind.UNREACHABLE)


def _refusal(message: str) -> Kind:
    if "because it is being terminated" in message:
        return Kind.TERMINATING
    # Authorizers say who cannot do what; admission, also 403, has words of its own.
    if " cannot " in message and (' resource "' in message or ' path "' in message):
        return Kind.FORBIDDEN
    return Kind.DENIED
