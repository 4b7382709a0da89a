"""What sources that are asked over HTTP have in common: a request, an answer, their errors."""

import base64
import json
import logging
import urllib.parse
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, TypeVar

from flagger_controller import net, secrecy
from flagger_controller.api.metrictemplate import MetricTemplateProvider
from flagger_controller.errors import ConfigError
from flagger_controller.metrics.base import Secret, SourceError, SourceTimeout

logger = logging.getLogger(__name__)

T = TypeVar("T")

ERROR_LIMIT: Final = 512
"""Bytes of an answer that an error shows (sharp edge M29)."""
OK: Final = 200
BAD_REQUEST: Final = 400

Headers = tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Web:
    """How one server is talked to."""

    http: net.Http
    headers: Headers = field(default=(), repr=False)
    secrets: tuple[str, ...] = field(default=(), repr=False)
    """What must not appear in an error, although servers repeat what they got."""
    verify: bool = True
    authority: str = field(default="", repr=False)
    """Certificates to trust, as PEM; empty: the system's."""
    timeout: float = net.DEFAULT_TIMEOUT
    """Seconds for a call."""

    async def get(self, url: str, params: Mapping[str, str] | None = None) -> net.Reply:
        """Ask; the parameters are encoded and added to the address."""
        return await self._call("GET", f"{url}?{urllib.parse.urlencode(params)}" if params else url)

    async def post(self, url: str, document: Any) -> net.Reply:
        """Ask with a JSON document."""
        return await self._call("POST", url, json.dumps(document).encode())

    async def _call(self, method: Any, url: str, body: bytes | None = None) -> net.Reply:
        content = () if body is None else (("Content-Type", "application/json"),)
        request = net.Request(
            method=method,
            url=url,
            headers=(*self.headers, *content),
            body=body,
            timeout=self.timeout,
            verify=self.verify,
            authority=self.authority,
        )
        try:
            reply = await self.http.call(request)
        except net.TimedOut as error:
            raise SourceTimeout(f"request failed: {self.show(str(error))}") from error
        except net.CallError as error:
            raise SourceError(f"request failed: {self.show(str(error))}") from error
        if reply.overdue:
            raise SourceTimeout(f"error reading body: {reply.broken}")
        if reply.broken:
            raise SourceError(f"error reading body: {reply.broken}")
        if not reply.complete:
            raise SourceError(f"the answer is longer than {net.DEFAULT_LIMIT} bytes")
        return reply

    def decode(self, reply: net.Reply, read: Callable[[Any], T]) -> T:
        """What `read` finds in the JSON document of an answer.

        Raises:
            SourceError: it is no JSON, or not of the form that `read` expects.
        """
        try:
            return read(json.loads(reply.body))
        except (ValueError, RecursionError, LookupError, TypeError) as error:
            detail = f"{error}, '{self.show(reply.text)}'"
            raise SourceError(f"error unmarshaling result: {detail}") from error

    def expect_ok(self, reply: net.Reply) -> None:
        """Refuse every status but 200, with the body and the status (sharp edge M30)."""
        if reply.status != OK:
            status = f"{reply.status} {reply.reason}".strip()
            raise SourceError(f"error response: {self.show(reply.text)}: {status}")

    def show(self, text: str) -> str:
        """Text of others as it may be shown: not too long, and without secrets."""
        return net.shorten(net.redact(text, self.secrets), ERROR_LIMIT)


def listed(document: Any, name: str) -> list[Any]:
    """A list in a JSON object; null and absent ones are empty.

    Raises:
        ValueError: the document is no object, or the member no list.
    """
    if not isinstance(document, dict):
        raise ValueError("there is no JSON object")
    found = document.get(name)
    if found is not None and not isinstance(found, list):
        raise ValueError(f"{name} is not a list")
    return found or []


def endpoint(provider: MetricTemplateProvider, path: str) -> str:
    """The provider's address, its query dropped, followed by a path.

    A missing scheme is accepted here and fails with the first request (metrics.md 9.2).

    Raises:
        ConfigError: the address is missing or no URL.
    """
    address = provider.address.strip()
    try:
        parts = urllib.parse.urlsplit(address)
    except ValueError:
        parts = urllib.parse.SplitResult("", "", "", "", "")
    if not (parts.scheme or parts.path.startswith("/")):
        raise ConfigError(f"{provider.type} address {secrecy.public(address)} is not a valid URL")
    whole = f"{parts.path.rstrip('/')}{path}"
    return urllib.parse.urlunsplit((parts.scheme, parts.netloc, whole, "", ""))


def authority(secret: Secret) -> str:
    """The certificates to trust that a Secret brings."""
    return secret.get(net.AUTHORITY, "")


def basic(username: str, password: str) -> str:
    """The Authorization header of a user and password."""
    return f"Basic {base64.b64encode(f'{username}:{password}'.encode()).decode()}"


class Remarks:
    """Tells once what is odd about a source's answers (sharp edge M10)."""

    def __init__(self) -> None:
        self._told = False

    def several(self, count: int, chosen: str, query: str) -> None:
        """More series came back than one; which one counts."""
        if count > 1 and not self._told:
            self._told = True
            shown = net.shorten(query, ERROR_LIMIT)
            text = "%d series came back, the %s one counts: aggregate them in the query: %s"
            logger.warning(text, count, chosen, shown)
