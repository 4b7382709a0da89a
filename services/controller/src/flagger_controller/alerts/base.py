"""The contract of alert channels (spec/alerting.md)."""

from dataclasses import dataclass, field
from typing import Any, Protocol
from urllib.parse import urlsplit

from flagger_controller.errors import ConfigError
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

    @property
    def subject(self) -> str:
        """What the message is about: `name.namespace` of the canary, not of its target."""
        return f"{self.workload}.{self.namespace}"


@dataclass(frozen=True)
class Address:
    """Where a channel posts and as whom. Web hook addresses are secrets: out of the repr."""

    url: str = field(repr=False)
    token: str = field(default="", repr=False)
    """Bearer token; empty for plain web hooks. Only Slack uses it."""
    proxy: str = field(default="", repr=False)
    """Use this proxy whatever the environment says."""
    channel: str = "general"
    username: str = "flagger"


class Channel(Protocol):
    """One kind of chat; pure."""

    @property
    def url(self) -> str:
        """Where to post."""
        ...

    def payload(self, message: Message) -> dict[str, Any]:
        """The JSON document to post."""
        ...

    def headers(self) -> dict[str, str]:
        """Additional request headers, such as the bearer token."""
        ...


class ChannelFactory(Protocol):
    """How a channel is made; the classes of `CHANNELS` are called so."""

    def __call__(self, address: Address) -> Channel:
        """Make the channel.

        Raises:
            ConfigError: the address cannot be used.
        """
        ...


def checked(url: str, what: str) -> str:
    """The address, if it is one (alerting.md section 5); the text never shows it.

    Raises:
        ConfigError: it has no scheme or holds control characters.
    """
    try:
        parsed = urlsplit(url)
    except ValueError as error:
        raise ConfigError(f"invalid {what} URL") from error
    if not parsed.scheme or not parsed.hostname or any(ord(char) < 0x20 for char in url):
        raise ConfigError(f"invalid {what} URL")
    return url
