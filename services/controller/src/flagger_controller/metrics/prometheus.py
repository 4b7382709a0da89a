"""Prometheus and everything that speaks its query API (metrics.md 9.2)."""

import urllib.parse
from typing import Any, Final

from flagger_controller import net
from flagger_controller.api.base import SecretReference
from flagger_controller.api.metrictemplate import MetricTemplateProvider
from flagger_controller.metrics import promql, web
from flagger_controller.metrics.base import (
    Context,
    NoValues,
    Secret,
    Setup,
    SourceError,
    finite,
)

_PATH: Final = "/api/v1/query"
_PROBE: Final = "vector(1)"


class Prometheus:
    """The source of built-in metrics, inline queries and templates of type `prometheus`.

    Secret: `token`, or `username` and `password`; `ca.crt`.
    """

    def __init__(self, setup: Setup) -> None:
        self._url = web.endpoint(setup.provider, _PATH)
        login = _login(setup)
        self._web = web.Web(
            setup.context.http,
            headers=_headers(setup.provider, login),
            secrets=_secrets(self._url, setup.secret, login),
            verify=not setup.provider.insecure_skip_verify,
            authority=web.authority(setup.secret),
        )
        self._remarks = web.Remarks()

    @classmethod
    def at(cls, address: str, context: Context, secret: Secret | None = None) -> "Prometheus":
        """The server at an address that no template names: a flag's, or `spec.metricsServer`.

        Args:
            address: of the server.
            context: clients and clock.
            secret: its login, if it wants one.

        Raises:
            ConfigError: the address is not a URL, or the login is not complete.
        """
        login = SecretReference(name="metrics-server") if secret else None
        provider = MetricTemplateProvider(type="prometheus", address=address, secret_ref=login)
        return cls(Setup(provider, secret or {}, "", context))

    async def query(self, query: str) -> float:
        """Run an instant query and return the value of its last series."""
        reply = await self._web.get(self._url, {"query": promql.collapse(query)})
        if reply.status >= web.BAD_REQUEST:
            body = self._web.show(reply.text)
            raise SourceError(f"error response: Status {reply.status} {reply.reason}: {body}")
        series = self._web.decode(reply, _series)
        self._remarks.several(len(series), "last", query)
        return finite(self._web.decode(reply, _last_value))

    async def online(self) -> None:
        """Evaluate a constant."""
        try:
            value = await self.query(_PROBE)
        except NoValues as error:
            raise SourceError(str(error)) from error
        if value != 1:
            raise SourceError(f"{_PROBE} is {value:g}")


def _headers(provider: MetricTemplateProvider, login: str) -> web.Headers:
    """The provider's headers, with the login in place of an Authorization of theirs."""
    headers = [(name, value) for name, values in provider.headers.items() for value in values]
    if not login:
        return tuple(headers)
    rest = [header for header in headers if header[0].lower() != "authorization"]
    return (*rest, ("Authorization", login))


def _login(setup: Setup) -> str:
    """The Authorization header; a Secret may also bring nothing but certificates."""
    if setup.provider.secret_ref is None or set(setup.secret) == {net.AUTHORITY}:
        return ""
    if "token" in setup.secret:
        token = setup.credential("token")
        return f"Bearer {token}" if token else ""
    username = setup.credential("username", "a username")
    return web.basic(username, setup.credential("password", "a password"))


def _secrets(url: str, secret: Secret, login: str) -> tuple[str, ...]:
    own = (secret.get(key, "").strip() for key in ("token", "password"))
    return (*own, urllib.parse.urlsplit(url).password or "", login.partition(" ")[2])


def _series(document: Any) -> list[dict[str, Any]]:
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


def _last_value(document: Any) -> float:
    """The last sample that is text, as upstream picks it (metrics.md 9.2)."""
    found: float | None = None
    for each in _series(document):
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
