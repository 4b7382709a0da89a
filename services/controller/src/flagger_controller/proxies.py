"""The proxies of the environment, for calls to all but the Kubernetes API; pure."""

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Self

from yarl import URL


@dataclass(frozen=True)
class Proxies:
    """The proxies of the environment, read as Go does; loopback addresses never use one."""

    http: str = field(default="", repr=False)
    https: str = field(default="", repr=False)
    exceptions: tuple[str, ...] = ()
    """Hosts, `.domains`, addresses and networks, each with or without a port; `*`: all."""

    @classmethod
    def from_environment(cls, environ: Mapping[str, str]) -> Self:
        """Read HTTP_PROXY, HTTPS_PROXY and NO_PROXY, or their lower-case forms."""
        names = ("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY")
        http, https, exceptions = (environ.get(n) or environ.get(n.lower(), "") for n in names)
        return cls(http, https, tuple(filter(None, map(str.strip, exceptions.split(",")))))

    def choose(self, url: URL) -> str:
        """The proxy for an address, or an empty text."""
        proxy = self.https if url.scheme == "https" else self.http
        host = (url.host or "").lower()
        excepted = (_matches(entry.lower(), host, url.port) for entry in self.exceptions)
        return "" if _loopback(host) or any(excepted) else proxy


def _loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _matches(entry: str, host: str, port: int | None) -> bool:
    if entry.count(":") == 1 or "]:" in entry:
        entry, _, wanted = entry.rpartition(":")
        if wanted != str(port):
            return False
    entry = entry.strip("[]")
    try:
        return ipaddress.ip_address(host) in ipaddress.ip_network(entry, strict=False)
    except ValueError:
        suffix = f".{entry.removeprefix('*').removeprefix('.')}"
        return entry == "*" or host == entry or host.endswith(suffix)
