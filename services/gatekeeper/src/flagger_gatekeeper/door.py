"""The door of the application: what a request carries, and who comes too often."""

import threading
import time
import uuid
from typing import Final

import flask
import prometheus_client

from . import access, audit, guard, identity, rates

_BURST: Final = 2
"""Seconds' worth of requests that may come at once."""

_MOST_CLIENTS: Final = 10_000
_SCHEME: Final = "bearer "


class Door:
    """Admits the senders of requests, see `access.Admit`."""

    def __init__(
        self,
        keeper: guard.Guard,
        registry: prometheus_client.CollectorRegistry,
        rate: int = 0,
    ) -> None:
        """Let `rate` requests a second of each address through, checks aside; 0: all."""
        self._guard = keeper
        self._rate = rate
        self._lock = threading.Lock()
        self._clients: dict[str, rates.Bucket] = {}
        self._refusals = prometheus_client.Counter(
            "flagger_gate_refusals",
            "Requests that were not admitted, by reason",
            ["verb", "reason"],
            registry=registry,
        )

    def admit(self, verb: access.Verb, namespace: str | None, secret: str = "") -> access.Caller:
        """Let the sender of the present request in, or raise `RefusedError`."""
        try:
            if verb is not access.Verb.CHECK:
                self._slow_down(flask.request.remote_addr or "")
            who = self._guard.identify(verb, namespace, _credentials(), secret)
        except access.RefusedError as refusal:
            self._refusals.labels(verb, refusal.code).inc()
            raise
        by = audit.By(uuid.uuid4().hex, who.name if who else "", flask.request.remote_addr or "")
        return access.Caller(by, self._guard.rights(who))

    def _slow_down(self, client: str) -> None:
        if not self._rate:
            return
        with self._lock:
            if len(self._clients) >= _MOST_CLIENTS:
                self._clients.clear()
            new = rates.Bucket(self._rate, self._rate * _BURST)
            bucket = self._clients.setdefault(client, new)
        if not bucket.take(time.monotonic()):
            raise access.RefusedError(429, "too_many_requests", "slow down")


def _credentials() -> identity.Credentials:
    """Read what the present request carries; the page has taken a token from a cookie."""
    headers = flask.request.headers
    value = headers.get("Authorization", "")
    bearer = value[len(_SCHEME) :].strip() if value.lower().startswith(_SCHEME) else ""
    groups = headers.get("X-Forwarded-Groups", "").split(",")
    return identity.Credentials(
        bearer=bearer or flask.g.get("token", ""),
        remote=flask.request.remote_addr or "",
        user=headers.get("X-Forwarded-User", ""),
        groups=tuple(filter(None, (group.strip() for group in groups))),
    )
