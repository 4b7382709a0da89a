"""Who somebody is, from what a request carries: pure (spec gatekeeper B.4)."""

import dataclasses
import hashlib
import hmac
import ipaddress
import json
from collections.abc import Mapping
from typing import Any, Final, Protocol

Network = ipaddress.IPv4Network | ipaddress.IPv6Network

_HEX_DIGITS: Final = 64


@dataclasses.dataclass(frozen=True, slots=True)
class Identity:
    """Somebody who was recognised."""

    name: str
    groups: tuple[str, ...] = ()
    uid: str = ""
    extra: Mapping[str, Any] = dataclasses.field(default_factory=dict, hash=False)
    """What a Kubernetes login knows more, for its access reviews."""


@dataclasses.dataclass(frozen=True, slots=True)
class Credentials:
    """What a request carries."""

    bearer: str = ""
    """Token of the header `Authorization: Bearer`."""
    remote: str = ""
    """Network address of the sender."""
    user: str = ""
    """Header `X-Forwarded-User`; worth something from a trusted proxy only."""
    groups: tuple[str, ...] = ()
    """Header `X-Forwarded-Groups`, likewise."""


class Authenticator(Protocol):
    """One way to recognise somebody."""

    def identify(self, credentials: Credentials) -> Identity | None:
        """Return who it is, None if this way does not tell."""


class StaticTokens:
    """Tokens from a file, which holds their hashes only.

    Plain SHA-256: tokens are long and random, unlike passwords.
    """

    def __init__(self, known: Mapping[str, Identity]) -> None:
        """Know identities by the SHA-256 of their token, in hexadecimal digits."""
        self._known = dict(known)

    @classmethod
    def parse(cls, text: str) -> "StaticTokens":
        """Read `{"tokens": [{"name", "sha256", "groups"}]}`.

        Raises:
            ValueError: it is not of this form.
        """
        try:
            known = {
                _digest(one["sha256"]): Identity(str(one["name"]), tuple(one.get("groups", ())))
                for one in json.loads(text)["tokens"]
            }
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"no list of tokens: {error!r}") from error
        return cls(known)

    def identify(self, credentials: Credentials) -> Identity | None:
        """Compare with every token, in a time that tells nothing."""
        presented = hashlib.sha256(credentials.bearer.encode()).hexdigest()
        found = None
        for digest, identity in self._known.items():
            if hmac.compare_digest(digest, presented):
                found = identity
        return found if credentials.bearer else None


class ProxyHeader:
    """The headers of a proxy that has asked for a login; only its addresses are believed."""

    def __init__(self, networks: tuple[Network, ...]) -> None:
        self._networks = networks

    @classmethod
    def parse(cls, text: str) -> "ProxyHeader":
        """Read networks such as `10.0.0.0/8,fd00::/8`.

        Raises:
            ValueError: one is none.
        """
        parts = filter(None, (part.strip() for part in text.split(",")))
        return cls(tuple(ipaddress.ip_network(part) for part in parts))

    def identify(self, credentials: Credentials) -> Identity | None:
        """Return the user that the proxy names."""
        try:
            address = ipaddress.ip_address(credentials.remote)
        except ValueError:
            return None
        if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped:
            address = address.ipv4_mapped  # what a socket for both families says
        trusted = any(address in network for network in self._networks)
        return (
            Identity(credentials.user, credentials.groups) if trusted and credentials.user else None
        )


def _digest(text: str) -> str:
    digest = text.lower()
    if len(digest) != _HEX_DIGITS or not set(digest) <= set("0123456789abcdef"):
        raise ValueError("sha256 is 64 hexadecimal digits")
    return digest
