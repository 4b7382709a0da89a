"""A clone of an nGrinder performance test, run in the background (loadtester.md section 7)."""

import base64
import binascii
import dataclasses
import logging
import urllib.parse
from typing import Any, Final

from flagger_common import durations
from flagger_common.payload import CanaryWebhookPayload

from ..outcome import Outcome
from ..policy import kinds
from ..policy.guard import Guard
from . import base, remote

logger = logging.getLogger(__name__)

_REQUIRED: Final = ("server", "clone", "username", "passwd")
_FAILED: Final = frozenset({"STOP_BY_ERROR", "CANCELED", "UNKNOWN"})
_DEFAULT_INTERVAL: Final = 1.0


@dataclasses.dataclass(frozen=True)
class Test:
    """A performance test to clone, start and wait for."""

    canary: str
    """``name.namespace``."""

    server: str
    """Base URL, with a slash at the end."""

    clone: int
    """Number of the test to clone."""

    user: str
    """For basic authentication."""

    password: str = dataclasses.field(repr=False)
    """For basic authentication; never logged."""

    interval: float = _DEFAULT_INTERVAL
    """Seconds between two polls."""

    log_output: bool = False
    """There is no output."""

    return_output: bool = False
    """There is no output."""

    @property
    def label(self) -> str:
        """Which test."""
        return f"ngrinder {self.server} clone {self.clone}"

    @property
    def identity(self) -> tuple[str, ...]:
        """Canary and number of the test, as upstream."""
        return (self.canary, "ngrinder", str(self.clone))

    def run(self, context: base.Context) -> Outcome:
        """Clone and start the test, poll it, and stop it when the time is over."""
        try:
            number = self._call("POST", f"{self.clone}/clone_and_start").get("id")
        except remote.RemoteError as error:
            return Outcome("", f"clone and start failed: {error}")
        if not isinstance(number, int):  # upstream crashes
            return Outcome("", "clone and start failed: no id in the answer")
        while context.pause(self.interval):
            status = self._status(number)
            if status == "FINISHED":
                return Outcome("")
            if status in _FAILED:
                return Outcome("", f"test {number} ended as {status}")
        try:
            self._call("PUT", f"{number}?action=stop")
        except remote.RemoteError as error:
            return Outcome("", f"test {number} is out of time and cannot be stopped: {error}")
        return Outcome("", f"test {number} is out of time")

    def failure(self, outcome: Outcome) -> str:
        """Return the reason; background tasks do not show it."""
        return outcome.reason

    def _status(self, number: int) -> str:
        """Poll once; whatever goes wrong counts as "not yet", as upstream."""
        try:
            states = self._call("GET", f"{number}/status").get("status")
        except remote.RemoteError as error:
            logger.warning("poll failed: %s", error, extra={"canary": self.canary})
            return ""
        first = states[0] if isinstance(states, list) and states else None
        return str(first.get("status_id", "")) if isinstance(first, dict) else ""

    def _call(self, method: str, path: str) -> dict[str, Any]:
        url = urllib.parse.urljoin(self.server, f"perftest/api/{path}")
        answer = remote.call(method, url, auth=(self.user, self.password))
        if answer.get("success") is False:
            raise remote.RemoteError(f"refused: {answer.get('message', 'no reason given')}")
        return answer


def prepare(payload: CanaryWebhookPayload) -> base.Work:
    """Read the metadata."""
    metadata = payload.metadata
    if not all(metadata.get(key) for key in _REQUIRED):
        raise base.TaskError("server, clone, username and passwd are required metadata")
    return Test(
        canary=payload.canary,
        server=_server(metadata["server"]),
        clone=_clone(metadata["clone"]),
        user=metadata["username"],
        password=_password(metadata["passwd"]),
        interval=_interval(metadata.get("pollInterval", "")),
    )


def strict(payload: CanaryWebhookPayload, guard: Guard) -> base.Work:
    """Read the same; the server has to be the operator's choice, not the caller's."""
    if server := payload.metadata.get("server"):
        kinds.listed(server, guard.scope(payload.namespace))
    return prepare(payload)


def _server(text: str) -> str:
    try:
        parts = urllib.parse.urlsplit(text)
    except ValueError as error:
        raise base.TaskError(f"invalid url: {error}") from error
    if not parts.hostname:
        raise base.TaskError(f"invalid url: no host in {text}")
    return text.rstrip("/") + "/"


def _clone(text: str) -> int:
    try:
        return int(text)
    except ValueError as error:
        raise base.TaskError(f"metadata clone must be integer: {error}") from error


def _password(text: str) -> str:
    try:
        return base64.b64decode(text, validate=True).decode()
    except (binascii.Error, UnicodeError) as error:
        raise base.TaskError(f"metadata password is invalid: {error}") from error


def _interval(text: str) -> float:
    try:
        seconds = durations.parse(text)
    except ValueError:
        return _DEFAULT_INTERVAL
    return seconds if seconds > 0 else _DEFAULT_INTERVAL


TASK = base.TaskType("ngrinder", blocking=False, prepare=prepare, strict=strict)
