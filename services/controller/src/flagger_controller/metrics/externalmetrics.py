"""The External Metrics API of Kubernetes, of our cluster or another server (metrics.md 9.12)."""

import asyncio
import urllib.parse
from collections.abc import Mapping
from typing import Final

from flagger_controller import net
from flagger_controller.cluster.client import ApiError, Object
from flagger_controller.cluster.failures import Kind
from flagger_controller.metrics import quantity, web
from flagger_controller.metrics.base import (
    NoValues,
    Reader,
    Setup,
    SourceError,
    SourceTimeout,
    finite,
)

_ROOT: Final = "/apis/external.metrics.k8s.io/v1beta1"
_TIMEOUT: Final = net.DEFAULT_TIMEOUT
_LAST_ATTEMPT: Final = _TIMEOUT - 1.0
"""When an adapter that is away is asked for the last time: that it is away must be heard in time,
and not be taken for silence."""
_REMEDIES: Final[Mapping[Kind, str]] = {
    Kind.FORBIDDEN: "add externalmetrics to rbac.providers of the chart, or allow get and list of"
    " external.metrics.k8s.io",
    Kind.NOT_SERVED: "no adapter is registered for external.metrics.k8s.io: install one",
    Kind.UNAVAILABLE: "see kubectl describe apiservice v1beta1.external.metrics.k8s.io",
}


class ExternalMetrics:
    """Templates of type `externalmetrics`.

    Without an address the API server of our cluster is asked, as ourselves. An address is another
    server: it gets the Secret's token and never ours (sharp edge M11). Secret: `token`, `ca.crt`.
    """

    def __init__(self, setup: Setup) -> None:
        self._server: Reader = setup.context.cluster
        if setup.provider.address:
            self._server = _Elsewhere(setup)
        self._remarks = web.Remarks()

    async def query(self, query: str) -> float:
        """The value of the first item."""
        path, params = _place(query)
        document = await self._read(path, params)
        try:
            items = document.get("items") or []
            value = quantity.parse(str(items[0]["value"])) if items else None
        except (ValueError, LookupError, TypeError, AttributeError) as error:
            raise SourceError(f"error querying external metrics API: {error!r}") from error
        if value is None:
            raise NoValues("no external metrics found")
        self._remarks.several(len(items), "first", query)
        return finite(value)

    async def online(self) -> None:
        """Ask whether the API is served (sharp edge M32)."""
        await self._read(_ROOT, {})

    async def _read(self, path: str, params: Mapping[str, str]) -> Object:
        try:
            async with asyncio.timeout(_TIMEOUT):
                return await self._server.read(path, params, seconds=_LAST_ATTEMPT)
        except TimeoutError as error:
            text = f"error querying external metrics API: no answer within {_TIMEOUT:g} s"
            raise SourceTimeout(text) from error
        except ApiError as error:
            text = "; ".join(filter(None, (error.message, _REMEDIES.get(error.kind))))
            raise SourceError(f"error querying external metrics API: {text}") from error
        except SourceTimeout as error:
            raise SourceTimeout(f"error querying external metrics API: {error}") from error
        except SourceError as error:
            raise SourceError(f"error querying external metrics API: {error}") from error


class _Elsewhere:
    """Another server than our cluster's."""

    def __init__(self, setup: Setup) -> None:
        token = setup.credential("token") if "token" in setup.secret else ""
        self._address = web.endpoint(setup.provider, "")
        self._web = web.Web(
            setup.context.http,
            headers=(("Authorization", f"Bearer {token}"),) if token else (),
            secrets=(token,),
            verify=not setup.provider.insecure_skip_verify,
            authority=web.authority(setup.secret),
        )

    async def read(
        self, path: str, params: Mapping[str, str] | None = None, *, seconds: float | None = None
    ) -> Object:
        reply = await self._web.get(f"{self._address}{path}", params)
        if reply.status != web.OK:
            status = f"{reply.status} {reply.reason}".strip()
            raise SourceError(f"{status}: {self._web.show(reply.text)}")
        return self._web.decode(reply, dict)


def _place(query: str) -> tuple[str, dict[str, str]]:
    """Path and parameters of `[<namespace>/]<metric>[?labelSelector=<selector>]`.

    White space around the query, such as the line end of a YAML block, is dropped.
    """
    text = query.strip()
    path, _, rest = text.partition("?")
    *namespaces, metric = [urllib.parse.unquote(part) for part in path.split("/")]
    if any(ord(char) < 0x20 for char in text) or len(namespaces) > 1 or not metric:
        raise SourceError(
            f"error parsing query {text!r}: write <namespace>/<metric>?labelSelector=<selector>"
        )
    namespace = "".join(namespaces) or "default"
    selector = urllib.parse.parse_qs(rest).get("labelSelector", [""])[0]
    where = "/".join(urllib.parse.quote(part, safe="") for part in (namespace, metric))
    params = {"labelSelector": selector, "timeout": f"{_TIMEOUT:g}s"}
    return f"{_ROOT}/namespaces/{where}", {name: value for name, value in params.items() if value}
