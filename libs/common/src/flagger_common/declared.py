"""Whether a payload is one of its Canary's own (loadtester.md section 8.2.5, helmtester.md B.6).

What a caller sends is only believed if the Canary that it names declares a webhook with exactly
these metadata, as the controller sends them. Which hook that is, and whether its time has come, is
not looked at: whoever knows the Canary can have its tasks run, and no other ones.
"""

import dataclasses
import functools
import http
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Final

from . import callers
from .cluster import ApiError, Cluster, Object
from .payload import CanaryWebhookPayload

Verify = Callable[[CanaryWebhookPayload], None]
"""Raises `UndeclaredError` or `UnverifiedError` if a payload must not run anything."""

SECONDS: Final = 5.0
"""Wait for the API server: half of what a controller waits for a hook that does not say."""

_NAME: Final = re.compile(r"[a-z0-9]([-.a-z0-9]{0,251}[a-z0-9])?")
"""Names and namespaces that can exist; callers choose them, and they become a path."""


class UndeclaredError(Exception):
    """The Canary does not ask for this, or there is no such Canary; the message is the answer."""


class UnverifiedError(Exception):
    """The Canary cannot be read, so nobody knows; the message is the answer."""


def believe(payload: CanaryWebhookPayload) -> None:
    """Take any payload: what services do without ``-verify-canary``."""
    del payload


def verifier(cluster: Cluster | None, seconds: float = SECONDS) -> Verify:
    """Return what compares payloads with Canaries.

    A Canary is read anew for each payload: one that was changed or deleted a moment ago must not
    run what it no longer asks for. Its owner needs no rights for that, only our own account does.

    Args:
        cluster: where the Canaries are.
        seconds: wait for its connection, and for each next piece of its answer.

    Raises:
        ValueError: there is no cluster.
    """
    if cluster is None:
        raise ValueError("-verify-canary needs an API server: run in a cluster, or set -kube-api")
    own = dataclasses.replace(cluster, user="", seconds=seconds)
    return functools.partial(_verify, own)


def declares(canary: Object, metadata: Mapping[str, str]) -> bool:
    """Say whether a Canary has a webhook with exactly these metadata, their token aside.

    Args:
        canary: as the API server has it.
        metadata: of a payload.
    """
    wanted = _without_token(metadata)
    return any(_without_token(own) == wanted for own in _metadata(canary))


def _verify(cluster: Cluster, payload: CanaryWebhookPayload) -> None:
    canary = _read(cluster, payload.name, payload.namespace)
    if not declares(canary, payload.metadata):
        raise UndeclaredError(
            f"task not allowed: no webhook of the Canary {payload.canary} has exactly these "
            "metadata; change its spec.analysis.webhooks if the task is to run"
        )


def _read(cluster: Cluster, name: str, namespace: str) -> Object:
    absent = (
        f"task not allowed: there is no Canary {name} in namespace {namespace}; "
        "only tasks of existing Canaries run, so create it or correct the names"
    )
    if not _NAME.fullmatch(name) or not _NAME.fullmatch(namespace):
        raise UndeclaredError(absent)
    path = f"/apis/flagger.app/v1beta1/namespaces/{namespace}/canaries/{name}"
    try:
        return cluster.call("GET", path, namespace)
    except ApiError as error:
        if error.status == http.HTTPStatus.NOT_FOUND:
            raise UndeclaredError(absent) from error
        raise UnverifiedError(_why(error, name, namespace)) from error


def _why(error: ApiError, name: str, namespace: str) -> str:
    remedy = "try again when the API server answers"
    if error.status == http.HTTPStatus.FORBIDDEN:
        remedy = f"allow our account to get canaries.flagger.app in namespace {namespace}"
    elif error.status == http.HTTPStatus.UNAUTHORIZED:
        remedy = "the token of our account is not accepted, look at its file"
    return f"the Canary {name}.{namespace} cannot be read, so nothing runs; {remedy}: {error}"


def _metadata(canary: Object) -> Iterator[Mapping[str, object]]:
    """Yield what the controller sends; not of event hooks, whose metadata it adds to."""
    match canary:
        case {"spec": {"analysis": dict(analysis)}} | {"spec": {"canaryAnalysis": dict(analysis)}}:
            hooks = analysis.get("webhooks")
        case _:
            return
    for hook in hooks or ():
        match hook:
            case {"type": "event"}:
                continue
            case {"metadata": dict(metadata)}:
                yield metadata


def _without_token(metadata: Mapping[str, object]) -> dict[str, object]:
    return {key: value for key, value in metadata.items() if key != callers.TOKEN}
