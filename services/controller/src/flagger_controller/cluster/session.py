"""An authorised HTTP session for libraries that talk to the API server themselves (kopf)."""

import aiohttp
from yarl import URL

from flagger_controller.cluster.heard import Heard
from flagger_controller.cluster.login import Login


def session(login: Login, heard: Heard) -> aiohttp.ClientSession:
    """A session that sends the current token with every request; its user closes it.

    Args:
        login: where, and as whom.
        heard: is told of every answer.
    """

    async def authorise(
        request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType
    ) -> aiohttp.ClientResponse:
        if header := login.authorization():
            request.headers["Authorization"] = header
        response = await handler(request)
        heard(*asked(request.url), str(response.status))
        return response

    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=0, ssl=login.tls or True),
        middlewares=(authorise,),
        proxy=login.proxy or None,
    )


def asked(url: URL) -> tuple[str, str]:
    """Verb and resource of a read: `watch canaries.flagger.app`, or `get` and a path."""
    match url.path.split("/"):
        case ["", "apis", group, _, "namespaces", _, plural] | ["", "apis", group, _, plural]:
            return "watch" if "watch" in url.query else "list", f"{plural}.{group}"
        case _:
            return "get", url.path
