"""Asking a Kubernetes API server who somebody is, and what they may do (spec gatekeeper B.4)."""

import hashlib
import threading
import time
from collections.abc import Callable
from typing import Any, Final

from . import access, identity

Post = Callable[[str, dict[str, Any]], dict[str, Any]]
"""Creates an object at a path and returns it as the API server answered."""

TOKENS_PATH: Final = "/apis/authentication.k8s.io/v1/tokenreviews"
ACCESS_PATH: Final = "/apis/authorization.k8s.io/v1/subjectaccessreviews"

CACHE_SECONDS: Final = 30.0
"""How long a token is believed without asking again; after that a revoked one is refused."""

_MOST_CACHED: Final = 1000
_LONGEST_TOKEN: Final = 16 * 1024
_VERBS: Final = {
    access.Verb.CHECK: "get",
    access.Verb.READ: "get",
    access.Verb.OPEN: "update",
    access.Verb.CLOSE: "update",
}


class TokenReviews:
    """Recognises whom the API server recognises: people and service accounts."""

    def __init__(self, post: Post, clock: Callable[[], float] = time.monotonic) -> None:
        self._post = post
        self._clock = clock
        self._lock = threading.Lock()
        self._cache: dict[str, tuple[float, identity.Identity]] = {}

    def identify(self, credentials: identity.Credentials) -> identity.Identity | None:
        """Ask who owns the token, unless that was asked a moment ago."""
        if not credentials.bearer or len(credentials.bearer) > _LONGEST_TOKEN:
            return None
        digest = hashlib.sha256(credentials.bearer.encode()).hexdigest()
        with self._lock:
            until, known = self._cache.get(digest, (0.0, None))
        if known is not None and self._clock() < until:
            return known
        found = _identity(self._post(TOKENS_PATH, _token_review(credentials.bearer)))
        if found is not None:
            self._keep(digest, found)
        return found

    def _keep(self, digest: str, found: identity.Identity) -> None:
        with self._lock:
            if len(self._cache) >= _MOST_CACHED:
                self._cache.clear()
            self._cache[digest] = self._clock() + CACHE_SECONDS, found


class AccessReviews:
    """Allows what RBAC allows: `get` and `update` of `canaries/gate`, a resource of no objects."""

    def __init__(self, post: Post) -> None:
        self._post = post

    def allows(self, who: identity.Identity, verb: access.Verb, namespace: str) -> bool:
        """Ask the API server; every time, so that a right that was taken away is gone."""
        answer = self._post(ACCESS_PATH, _access_review(who, verb, namespace))
        return (answer.get("status") or {}).get("allowed") is True


def _token_review(token: str) -> dict[str, Any]:
    return {
        "apiVersion": "authentication.k8s.io/v1",
        "kind": "TokenReview",
        "spec": {"token": token},
    }


def _identity(review: dict[str, Any]) -> identity.Identity | None:
    status = review.get("status") or {}
    user = status.get("user") or {}
    if status.get("authenticated") is not True or not user.get("username"):
        return None
    return identity.Identity(
        name=user["username"],
        groups=tuple(user.get("groups") or ()),
        uid=user.get("uid") or "",
        extra=user.get("extra") or {},
    )


def _access_review(who: identity.Identity, verb: access.Verb, namespace: str) -> dict[str, Any]:
    resource = {
        "group": "flagger.app",
        "resource": "canaries",
        "subresource": "gate",
        "namespace": namespace,
        "verb": _VERBS[verb],
    }
    return {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SubjectAccessReview",
        "spec": {
            "user": who.name,
            "groups": list(who.groups),
            "uid": who.uid,
            "extra": dict(who.extra),
            "resourceAttributes": resource,
        },
    }
