"""The contract of alert channels (spec/alerting.md)."""

import base64
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol
from urllib.parse import urlsplit

from flagger_controller import secrecy
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
    at: datetime
    """When it was decided."""
    facts: Mapping[str, str] = field(default_factory=dict)
    """What message templates can name; see `compose.variables`."""

    @property
    def subject(self) -> str:
        """What the message is about: `name.namespace` of the canary, not of its target."""
        return f"{self.workload}.{self.namespace}"


@dataclass(frozen=True)
class Address:
    """Where a channel posts and as whom. Almost all of it is secret: out of the repr."""

    url: str = field(repr=False)
    token: str = field(default="", repr=False)
    """Bearer token; empty for plain web hooks."""
    login: str = field(default="", repr=False)
    """`user:password` for basic authentication, where there is no token."""
    key: str = field(default="", repr=False)
    """Signs what is posted."""
    authority: str = field(default="", repr=False)
    """Certificates to trust, as PEM, instead of the system's."""
    proxy: str = field(default="", repr=False)
    """Use this proxy whatever the environment says."""
    headers: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    """Further request headers."""
    channel: str = "general"
    username: str = "flagger"
    card: str = ""
    """Form of a Teams message: `message`, `adaptive`, or by the host of the address."""

    @property
    def secrets(self) -> tuple[str, ...]:
        """What must not be shown, not even a part of it that a server repeats."""
        user, _, password = self.login.partition(":")
        return (
            *secrecy.secrets_of(self.url),
            *(self.token, self.key, password or user, self.proxy),
            *(value for _, value in self.headers if len(value) >= secrecy.LONG_WORD),
        )


@dataclass(frozen=True)
class Post:
    """What a channel sends for one message."""

    url: str = field(repr=False)
    body: bytes = field(repr=False)
    headers: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    """Those that this kind of channel needs; its address has the user's."""
    refusal: Callable[[str], str] = lambda _: ""
    """Why the answer of a 2xx is a refusal after all; empty: it is none."""


class Channel(Protocol):
    """How one kind of receiver is written to; the functions that `CHANNELS` names. Pure."""

    def __call__(self, address: Address, message: Message) -> Post:
        """The request for a message.

        Raises:
            ConfigError: the address cannot be used.
        """
        ...


def encode(document: object) -> bytes:
    """The body of a request."""
    return json.dumps(document).encode()


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


def below(url: str, path: str) -> str:
    """The address with a path at the end of its own, if it is not there; its query stays."""
    parsed = urlsplit(url)
    own = parsed.path.rstrip("/")
    return url if own.endswith(path) else parsed._replace(path=own + path).geturl()


def authorization(address: Address) -> tuple[tuple[str, str], ...]:
    """The header that logs in with the token, else with user and password; none without."""
    if address.token:
        return (("Authorization", f"Bearer {address.token}"),)
    if address.login:
        return (("Authorization", f"Basic {base64.b64encode(address.login.encode()).decode()}"),)
    return ()
