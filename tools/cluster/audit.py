"""The API server's audit log: who asked for what, so that tests can count requests."""

import collections
import dataclasses
import json
import os
import pathlib
from collections.abc import Iterator, Sequence
from typing import Any, Final

import yaml

CHUNK: Final = 4096
"""Bytes read at once when looking for the end of a line."""


@dataclasses.dataclass(frozen=True)
class Request:
    """One request as the API server saw it."""

    id: str
    user: str
    verb: str
    """get, list, watch, create, update, patch, delete, deletecollection."""
    group: str
    resource: str
    subresource: str
    namespace: str
    name: str
    code: int
    uri: str
    agent: str
    at: str
    """When it was received, RFC 3339 with microseconds."""

    @property
    def target(self) -> str:
        """What kind of thing it was about: `deployments`, `canaries/status`; empty: of none."""
        return f"{self.resource}/{self.subresource}" if self.subresource else self.resource


def write_policy(path: pathlib.Path, users: Sequence[str] = ()) -> None:
    """Write the policy: metadata of every request of these users (none: of all), once a request."""
    rules: list[dict[str, Any]] = [{"level": "Metadata"}]
    if users:
        rules = [{"level": "Metadata", "users": [*users]}, {"level": "None"}]
    policy = {
        "apiVersion": "audit.k8s.io/v1",
        "kind": "Policy",
        "omitStages": ["RequestReceived"],
        "rules": rules,
    }
    path.write_text(yaml.safe_dump(policy))


class AuditLog:
    """Reads an audit log that is still being written.

    The server writes a line before it answers (a watch: when it begins), so a request whose
    answer has arrived is in the log.
    """

    def __init__(self, path: pathlib.Path) -> None:
        self.path = path

    def mark(self) -> int:
        """Return the present end of the last whole line of the log, for `since`."""
        if not self.path.exists():
            return 0
        with self.path.open("rb") as log:
            end = log.seek(0, os.SEEK_END)
            while end:  # a line that is being written ends at any byte
                begin = max(0, end - CHUNK)
                log.seek(begin)
                newline = log.read(end - begin).rfind(b"\n")
                if newline >= 0:
                    return begin + newline + 1
                end = begin
        return 0

    def requests(self, since: int = 0, **wanted: str | int) -> list[Request]:
        """Return the requests after a mark, each once.

        Args:
            since: a value of `mark`.
            **wanted: fields of Request that must be equal, such as `user="flagger"`.
        """
        seen = {request.id: request for request in self._read(since)}
        return [r for r in seen.values() if all(getattr(r, k) == v for k, v in wanted.items())]

    def count(self, since: int = 0, **wanted: str | int) -> collections.Counter[tuple[str, str]]:
        """Count requests by verb and resource (`deployments`, `canaries/status`)."""
        return collections.Counter((r.verb, r.target) for r in self.requests(since, **wanted))

    def _read(self, since: int) -> Iterator[Request]:
        if not self.path.exists():
            return
        with self.path.open("rb") as log:
            log.seek(since)
            for line in log:
                if line.endswith(b"\n"):  # else the server is in the middle of writing it
                    yield _request(json.loads(line))


def _request(event: dict[str, Any]) -> Request:
    target = event.get("objectRef", {})
    return Request(
        id=event["auditID"],
        user=event["user"].get("username", ""),
        verb=event["verb"],
        group=target.get("apiGroup", ""),
        resource=target.get("resource", ""),
        subresource=target.get("subresource", ""),
        namespace=target.get("namespace", ""),
        name=target.get("name", ""),
        code=event.get("responseStatus", {}).get("code", 0),
        uri=event["requestURI"],
        agent=event.get("userAgent", ""),
        at=event["requestReceivedTimestamp"],
    )
