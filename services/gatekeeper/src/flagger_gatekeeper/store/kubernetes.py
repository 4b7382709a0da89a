"""Gates in ConfigMaps of a Kubernetes API server: durable, and shared by any number of replicas.

Reads go through to the API server (no cache, no resourceVersion: always the newest state); writes
carry the resourceVersion they were computed from, so that of two racing writers one starts again.
"""

import datetime
import functools
import itertools
import json
import os
import pathlib
import random
import time
import urllib.parse
from collections.abc import Callable, Iterator
from typing import Any, Final, TypeVar, cast

import urllib3
from kubernetes import config
from kubernetes.client import api_client, configuration, exceptions

from .. import audit, changes, codec, gates
from . import base, configmaps

T = TypeVar("T")

DEADLINE_SECONDS: Final = 5.0
"""Time for one call with all its retries: half of what a controller waits for a check."""

ATTEMPTS: Final = 20
"""How often a call is tried while other writers are faster."""

FAULTS: Final = 3
"""How often a call is tried on an API server that fails. Few: while it is down, every waiting check
holds a thread, and the controller asks again anyway."""

_FIRST_PAUSE_SECONDS: Final = 0.02
_LONGEST_PAUSE_SECONDS: Final = 0.5
_POOL_SIZE: Final = 32
_PAGE_SIZE: Final = 500
_NAMESPACE_FILE: Final = pathlib.Path("/var/run/secrets/kubernetes.io/serviceaccount/namespace")


class AgainError(gates.GateError):
    """The request failed in a way that may pass: overload, lost connection."""


class _ConflictError(AgainError):
    """Another writer was faster; the API server is in good health."""


def login(kubeconfig: str = "") -> api_client.ApiClient:
    """Return a client for the API server, without loading the typed API objects (100 MB).

    Args:
        kubeconfig: path of a kubeconfig file; empty: the pod's service account when in a pod, else
            the usual places (`KUBECONFIG`, home directory).

    Raises:
        StoreUnavailableError: no usable credentials.
    """
    loaders = cast("Any", config)  # this part of the package has no annotations
    settings = configuration.Configuration()
    settings.retries = False  # retrying is done here, inside the deadline of the whole call
    settings.connection_pool_maxsize = _POOL_SIZE
    try:
        if not kubeconfig and os.environ.get("KUBERNETES_SERVICE_HOST"):
            loaders.load_incluster_config(client_configuration=settings)
        else:
            loaders.load_kube_config(kubeconfig or None, client_configuration=settings)
    except (config.ConfigException, OSError) as error:
        raise base.StoreUnavailableError(f"no access to a Kubernetes API: {error}") from error
    client = api_client.ApiClient(settings)
    client.user_agent = "flagger-gatekeeper"
    return client


def own_namespace() -> str:
    """Return the namespace of the pod this runs in, "default" outside of pods."""
    try:
        return _NAMESPACE_FILE.read_text().strip() or "default"
    except OSError:
        return "default"


class KubernetesStore:
    """Gate records in the ConfigMaps of one namespace."""

    def __init__(
        self,
        client: api_client.ApiClient,
        namespace: str,
        pause: Callable[[float], None] = time.sleep,
        retention: datetime.timedelta = base.RETENTION,
    ) -> None:
        """Use a logged-in client.

        Args:
            client: see `login`.
            namespace: of the ConfigMaps.
            pause: what waits between two attempts.
            retention: how long the history is kept.
        """
        self._client = client
        self._retention = retention
        self._path = f"/api/v1/namespaces/{namespace}/configmaps"
        self._pause = pause

    def read(self, key: gates.GateKey) -> gates.GateRecord | None:
        """Return the record, None if there is none."""
        found = self._repeat(lambda left: self._get(configmaps.name(key), left))
        text = None if found is None else configmaps.entry(found, key)
        return None if text is None else codec.decode(text)

    def update(
        self, key: gates.GateKey, transition: changes.Transition[T], *, repair: bool = False
    ) -> T:
        """Apply a transition atomically and durably, starting again when others were faster."""

        def attempt(left: float) -> T:
            found = self._get(configmaps.name(key), left)
            current = configmaps.new(key) if found is None else found
            text = configmaps.entry(current, key)
            outcome = transition(codec.current(text, repair=repair))
            if outcome.change is not None:
                wanted = configmaps.written(current, key, outcome.change, self._retention)
                self._put(wanted, left, new=found is None)
            return outcome.result

        return self._repeat(attempt)

    def find(self, scope: base.Scope) -> list[base.Listed]:
        """Return the gates of a scope."""
        found = [gate for config_map in self._all(scope) for gate in configmaps.listed(config_map)]
        return [
            base.Listed(key, codec.decode_or_none(text))
            for key, text in sorted(found, key=lambda gate: base.in_order(gate[0]))
            if scope.covers(key)
        ]

    def history(
        self, scope: base.Scope, since: datetime.datetime | None, newest: int | None = None
    ) -> list[audit.Logged]:
        """Return the history of a scope, oldest first."""
        lines = [line for found in self._all(scope) for line in configmaps.history(found)]
        logged = [one for one in base.readable(lines) if scope.covers(one.key)]
        young = [one for one in logged if since is None or one.entry.at >= since]
        ordered = sorted(young, key=lambda one: one.entry.at)
        return ordered if newest is None else ordered[-newest:]

    def prune(self, now: datetime.datetime) -> None:
        """Drop the history beyond the retention, and ConfigMaps that have nothing more to keep."""
        oldest = now - self._retention
        for found in self._all(base.Scope()):
            pruned = configmaps.pruned(found, oldest)
            if pruned == found:
                continue
            try:
                self._tidy(found, pruned)
            except _ConflictError:
                continue  # somebody uses it right now; there is another day

    def ping(self) -> None:
        """Ask for a ConfigMap; that there is none is an answer as good as any."""
        self._repeat(lambda left: self._get("flagger-gatekeeper-ping", left))

    def close(self) -> None:
        """Close the connections."""
        cast("Any", self._client).close()

    def _get(self, name: str, left: float) -> configmaps.Object | None:
        return self._send("GET", f"{self._path}/{name}", left)

    def _put(self, wanted: configmaps.Object, left: float, *, new: bool) -> None:
        """Write a ConfigMap back, on condition that nobody has written it meanwhile."""
        if new:
            self._send("POST", self._path, left, wanted)
        elif self._send("PUT", self._path_of(wanted), left, wanted) is None:
            raise _ConflictError("the config map vanished between reading and writing")

    def _tidy(self, found: configmaps.Object, pruned: configmaps.Object | None) -> None:
        """Replace a ConfigMap, or delete it, on the same condition."""
        if pruned is not None:
            self._put(pruned, DEADLINE_SECONDS, new=False)
            return
        version = {"resourceVersion": found["metadata"]["resourceVersion"]}
        self._send("DELETE", self._path_of(found), DEADLINE_SECONDS, {"preconditions": version})

    def _all(self, scope: base.Scope) -> Iterator[configmaps.Object]:
        """Read the ConfigMaps of a scope: one, or page by page."""
        if scope.namespace is not None and scope.canary is not None:
            name = configmaps.name(gates.GateKey(scope.namespace, scope.canary))
            found = self._repeat(lambda left: self._get(name, left))
            yield from [found] if found is not None and configmaps.is_ours(found) else []
            return
        following = ""
        while True:
            page = self._repeat(functools.partial(self._page, following))
            yield from filter(configmaps.is_ours, page.get("items") or [])
            following = (page.get("metadata") or {}).get("continue") or ""
            if not following:
                return

    def _page(self, following: str, left: float) -> configmaps.Object:
        query = {"labelSelector": configmaps.SELECTOR, "limit": _PAGE_SIZE}
        if following:
            query["continue"] = following
        page = self._send("GET", f"{self._path}?{urllib.parse.urlencode(query)}", left)
        return page or {}

    def _path_of(self, config_map: configmaps.Object) -> str:
        return f"{self._path}/{config_map['metadata']['name']}"

    def _repeat(self, attempt: Callable[[float], T]) -> T:
        """Call `attempt` with the seconds left until it neither conflicts nor hits a fault."""
        deadline = time.monotonic() + DEADLINE_SECONDS
        faults = 0
        for number in itertools.count(1):
            try:
                return attempt(max(deadline - time.monotonic(), 0.1))
            except AgainError as error:
                faults += not isinstance(error, _ConflictError)
                reason = str(error)
            longest = min(_FIRST_PAUSE_SECONDS * 2**number, _LONGEST_PAUSE_SECONDS)
            seconds = random.uniform(0, longest)  # noqa: S311 - jitter between replicas, no secret
            late = time.monotonic() + seconds >= deadline
            if late or faults >= FAULTS or number >= ATTEMPTS:
                break
            self._pause(seconds)
        raise base.StoreUnavailableError(f"giving up on the Kubernetes API: {reason}")

    def _send(
        self, method: str, path: str, left: float, body: configmaps.Object | None = None
    ) -> configmaps.Object | None:
        """Send one request and return the answered object, None for a 404 where that is normal."""
        status, content = exchange(self._client, method, path, left, body)
        if status in (200, 201):
            return _parsed(content)
        if status == 404 and method != "POST":
            return None
        message = f"{method} {path}: {status} {content[:300].decode(errors='replace')}"
        if status == 409:
            raise _ConflictError(message)
        if status == 429 or status >= 500:
            raise AgainError(message)
        raise base.StoreUnavailableError(message)


def exchange(
    client: api_client.ApiClient,
    method: str,
    path: str,
    seconds: float,
    body: configmaps.Object | None,
) -> tuple[int, bytes]:
    """Send one request and read its answer, within `seconds` for each of the two.

    Raises:
        AgainError: there was no answer.
        StoreUnavailableError: the login cannot be read.
    """
    headers = {"Accept": "application/json", "Content-Type": "application/json"}
    try:
        request = client.param_serialize(
            method, path, header_params=headers, body=body, auth_settings=["BearerToken"]
        )
        response = cast("Any", client.call_api(*request[:4], _request_timeout=seconds))
        return response.status, response.read()
    except (urllib3.exceptions.HTTPError, exceptions.OpenApiException, OSError) as error:
        raise AgainError(f"{method} {path}: {error}") from error
    except config.ConfigException as error:  # the service account token cannot be read
        raise base.StoreUnavailableError(str(error)) from error


def _parsed(content: bytes) -> configmaps.Object:
    try:
        parsed: configmaps.Object = json.loads(content)
    except ValueError as error:
        raise AgainError(f"answer is not JSON: {error}") from error
    return parsed
