"""The contract of alert channels (spec/alerting.md)."""

from dataclasses import dataclass
from typing import Any, Protocol

from flagger_controller.rollout.decision import Severity


@dataclass(frozen=True)
class Field:
    """A line of detail under a message."""

    name: str
    value: str


@dataclass(frozen=True)
class Message:
    """An alert about one canary, ready for any channel."""

    workload: str
    namespace: str
    text: str
    fields: tuple[Field, ...]
    severity: Severity


@dataclass(frozen=True)
class Address:
    """Where a channel posts; `token` is a bearer token, empty for plain web hooks."""

    url: str
    token: str = ""
    proxy: str = ""


class Channel(Protocol):
    """One kind of chat."""

    def payload(self, message: Message) -> dict[str, Any]:
        """The JSON document to post."""
        ...

    def headers(self) -> dict[str, str]:
        """Additional request headers, such as the bearer token."""
        ...
