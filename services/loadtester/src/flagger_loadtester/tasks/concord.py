"""A process of the Concord orchestration server, waited for (loadtester.md section 6)."""

import dataclasses
import pathlib
import urllib.parse
from collections.abc import Mapping
from typing import Final

from flagger_common.payload import CanaryWebhookPayload

from ..outcome import Outcome
from ..policy import kinds
from ..policy.guard import Guard
from . import base, remote

_REQUIRED: Final = ("server", "org", "project", "repo", "entrypoint", "apiKeyPath")
_PREFIX: Final = "arguments."
_FAILED: Final = frozenset({"FAILED", "CANCELLED", "TIMED_OUT"})
"""Upstream knows the first one only and polls the others until its limit."""


@dataclasses.dataclass(frozen=True)
class Process:
    """A process to start and to wait for."""

    canary: str
    """``name.namespace``."""

    server: str
    """Where Concord is; its path is not used."""

    key_file: pathlib.Path
    """Holds the value of the Authorization header; read for each request, as secrets rotate."""

    fields: tuple[tuple[str, str], ...]
    """The form of the start request, in order."""

    interval: int
    """Seconds between two polls."""

    poll_timeout: int
    """Seconds to wait for one poll; upstream starts it anew with each, so it matters when below
    ``interval`` only."""

    log_output: bool = False
    """There is no output."""

    return_output: bool = False
    """There is no output."""

    @property
    def label(self) -> str:
        """Where it runs."""
        return f"concord {self.server}"

    @property
    def identity(self) -> tuple[str, ...]:
        """Not used by blocking tasks."""
        return (self.canary, self.label)

    def run(self, context: base.Context) -> Outcome:
        """Start the process and poll until it has ended."""
        try:
            instance = self._call("POST", "/api/v1/process", list(self.fields)).get("instanceId")
        except (remote.RemoteError, OSError, UnicodeError) as error:
            return Outcome("", f"failed starting process: {error}")
        if not isinstance(instance, str) or not instance:
            return Outcome("", "failed starting process: no instanceId in the answer")
        return self._wait(context, instance)

    def _wait(self, context: base.Context, instance: str) -> Outcome:
        while context.pause(min(self.interval, self.poll_timeout)):
            if self.poll_timeout < self.interval:
                seconds = self.poll_timeout
                return Outcome("", f"concord process timed out, after {seconds} seconds")
            path = f"/api/v1/process/{urllib.parse.quote(instance, safe='')}"
            try:
                status = self._call("GET", path).get("status")
            except (remote.RemoteError, OSError, UnicodeError) as error:
                return Outcome("", f"failed checking status: {error}")
            if status == "FINISHED":
                return Outcome("")
            if status in _FAILED:
                return Outcome("", f"concord instanceID: {instance} failed")
        return Outcome("", "context timedout")

    def failure(self, outcome: Outcome) -> str:
        """Return the reason alone, as upstream."""
        return outcome.reason

    def _call(
        self, method: str, path: str, fields: list[tuple[str, str]] | None = None
    ) -> dict[str, object]:
        key = self.key_file.read_text().strip()  # a trailing newline would break the header
        headers = {"Authorization": key} if key else {}
        url = urllib.parse.urljoin(self.server, path)
        return remote.call(method, url, headers=headers, fields=fields)


def prepare(payload: CanaryWebhookPayload) -> base.Work:
    """Read the metadata, complaining about the first fault in upstream's order."""
    metadata = payload.metadata
    for key in _REQUIRED:
        _require(metadata, key)
    key_file = pathlib.Path(metadata["apiKeyPath"])
    if not key_file.exists():
        raise base.TaskError(f"`apiKeyPath` file doesn't exist {key_file}")
    _require(metadata, "endpoint")
    interval = _integer(metadata, "pollInterval", 5)
    if interval < 1:  # upstream drops the connection
        raise base.TaskError("`pollInterval` must be positive")
    return Process(
        canary=payload.canary,
        server=metadata["server"],
        key_file=key_file,
        fields=_fields(metadata),
        interval=interval,
        poll_timeout=_integer(metadata, "pollTimeout", 30),
    )


def strict(payload: CanaryWebhookPayload, guard: Guard) -> base.Work:
    """Read the same; server and file have to be the operator's choice, not the caller's.

    Otherwise anybody could have any file that is readable here sent to any server.
    """
    scope = guard.scope(payload.namespace)
    server, key_file = payload.metadata.get("server"), payload.metadata.get("apiKeyPath")
    if server:
        kinds.listed(server, scope)
    if key_file:
        kinds.file(key_file, scope)
    return prepare(payload)


def _require(metadata: Mapping[str, str], key: str) -> None:
    if not metadata.get(key):
        raise base.TaskError(f"`{key}` is required with type concord")


def _integer(metadata: Mapping[str, str], key: str, default: int) -> int:
    try:
        return int(metadata.get(key, default))
    except ValueError as error:
        raise base.TaskError(f"unable to convert `{key}` to int") from error


def _fields(metadata: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    arguments = {key: value for key, value in metadata.items() if key.startswith(_PREFIX)}
    if "arguments.endpoint" in arguments:
        raise base.TaskError("`arguments.endpoint` is set by `endpoint`")
    return (
        ("org", metadata["org"]),
        ("project", metadata["project"]),
        ("repo", metadata["repo"]),
        ("entryPoint", metadata["entrypoint"]),
        ("arguments.endpoint", metadata["endpoint"]),
        *sorted(arguments.items()),
    )


TASK = base.TaskType("concord", blocking=True, prepare=prepare, strict=strict, refusal=500)
