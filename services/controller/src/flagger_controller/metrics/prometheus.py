"""Prometheus and everything that speaks its query API (metrics.md 9.2)."""

import base64
import json
import math
import urllib.parse
from typing import Any, Final

from flagger_controller import net
from flagger_controller.api.metrictemplate import MetricTemplateProvider
from flagger_controller.errors import ConfigError
from flagger_controller.metrics import promql
from flagger_controller.metrics.base import NoValues, Secret, SourceError

ERROR_LIMIT: Final = 512
"""Bytes of an answer that an error shows."""
_BAD_REQUEST: Final = 400
_PROBE: Final = "vector(1)"


class Prometheus:
    """The source of built-in metrics, inline queries and templates of type `prometheus`."""

    def __init__(
        self,
        provider: MetricTemplateProvider,
        secret: Secret,
        interval: str,
        http: net.Http,
    ) -> None:
        del interval  # queries carry their window in their text
        self._url = _query_url(provider)
        self._verify = not provider.insecure_skip_verify
        login = _login(provider, secret)
        self._headers = _headers(provider, login)
        self._secrets = _secrets(self._url, secret, login)
        self._http = http

    @classmethod
    def at(cls, address: str, http: net.Http) -> "Prometheus":
        """The server at an address without credentials, such as `spec.metricsServer`.

        Raises:
            ConfigError: the address is not a URL.
        """
        return cls(MetricTemplateProvider(type="prometheus", address=address), {}, "", http)

    async def query(self, query: str) -> float:
        """Run an instant query and return the value of its last series."""
        reply = await self._ask(promql.collapse(query))
        if reply.status >= _BAD_REQUEST:
            body = self._show(reply.text)
            raise SourceError(f"error response: Status {reply.status} {reply.reason}: {body}")
        return self._value(reply)

    async def online(self) -> None:
        """Evaluate a constant."""
        try:
            value = await self.query(_PROBE)
        except NoValues as error:
            raise SourceError(str(error)) from error
        if value != 1:
            raise SourceError(f"{_PROBE} is {value:g}")

    async def _ask(self, query: str) -> net.Reply:
        request = net.Request(
            method="GET",
            url=f"{self._url}?{urllib.parse.urlencode({'query': query})}",
            headers=self._headers,
            verify=self._verify,
        )
        try:
            reply = await self._http.call(request)
        except net.CallError as error:
            raise SourceError(f"request failed: {self._show(str(error))}") from error
        if reply.broken:
            raise SourceError(f"error reading body: {reply.broken}")
        if not reply.complete:
            raise SourceError(f"the answer is longer than {net.DEFAULT_LIMIT} bytes")
        return reply

    def _value(self, reply: net.Reply) -> float:
        try:
            value = _last_value(_series(json.loads(reply.body)))
        except (ValueError, RecursionError) as error:
            detail = f"{error}, '{self._show(reply.text)}'"
            raise SourceError(f"error unmarshaling result: {detail}") from error
        if not math.isfinite(value):
            raise NoValues(f"the value is {value}" if math.isinf(value) else "")
        return value

    def _show(self, text: str) -> str:
        return net.shorten(net.redact(text, self._secrets), ERROR_LIMIT)


def _query_url(provider: MetricTemplateProvider) -> str:
    """The address with its path kept and its query dropped; a missing scheme fails later."""
    address = provider.address.strip()
    try:
        parts = urllib.parse.urlsplit(address)
    except ValueError:
        parts = urllib.parse.SplitResult("", "", "", "", "")
    if not (parts.scheme or parts.path.startswith("/")):
        raise ConfigError(f"{provider.type} address {net.public(address)} is not a valid URL")
    path = f"{parts.path.rstrip('/')}/api/v1/query"
    return urllib.parse.urlunsplit((parts.scheme, parts.netloc, path, "", ""))


def _headers(provider: MetricTemplateProvider, login: str) -> tuple[tuple[str, str], ...]:
    """The provider's headers, with the login in place of an Authorization of theirs."""
    headers = [(name, value) for name, values in provider.headers.items() for value in values]
    if not login:
        return tuple(headers)
    rest = [header for header in headers if header[0].lower() != "authorization"]
    return (*rest, ("Authorization", login))


def _login(provider: MetricTemplateProvider, secret: Secret) -> str:
    """The Authorization header; line ends, which editors leave in Secrets, are dropped."""
    if provider.secret_ref is None:
        return ""
    if "token" in secret:
        token = secret["token"].strip("\r\n")
        return f"Bearer {token}" if token else ""
    for key in ("username", "password"):
        if key not in secret:
            raise ConfigError(f"{provider.type} credentials does not contain a {key}")
    pair = f"{secret['username']}:{secret['password']}".replace("\r", "").replace("\n", "")
    return f"Basic {base64.b64encode(pair.encode()).decode()}"


def _secrets(url: str, secret: Secret, login: str) -> tuple[str, ...]:
    """What must not appear in an error, although servers repeat what they got."""
    own = (secret.get(key, "").strip() for key in ("token", "password"))
    return (*own, urllib.parse.urlsplit(url).password or "", login.partition(" ")[2])


def _series(document: Any) -> list[Any]:
    """The result vector of an answer; ValueError when there is none to speak of."""
    if not isinstance(document, dict):
        raise ValueError("the answer is not a JSON object")
    data = document.get("data")
    result = data.get("result") if isinstance(data, dict) else None
    if result is None:
        return []
    if not isinstance(result, list) or not all(isinstance(each, dict) for each in result):
        raise ValueError("the result is not a vector")
    return result


def _last_value(series: list[dict[str, Any]]) -> float:
    """The last sample that is text, as upstream picks it (metrics.md 9.2)."""
    found: float | None = None
    for each in series:
        if "values" in each:
            raise SourceError("query returned multiple values")
        sample = each.get("value")
        if not isinstance(sample, list) or len(sample) < 2:
            raise ValueError("a series has no value; native histograms are not supported")
        if isinstance(sample[1], str):
            found = float(sample[1])
    if found is None:
        raise NoValues
    return found
