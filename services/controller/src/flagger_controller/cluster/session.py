"""An authorised HTTP session for libraries that talk to the API server themselves (kopf)."""

import aiohttp

from flagger_controller.cluster.login import Login


def session(login: Login) -> aiohttp.ClientSession:
    """A session that sends the current token with every request; its user closes it."""

    async def authorise(
        request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType
    ) -> aiohttp.ClientResponse:
        if header := login.authorization():
            request.headers["Authorization"] = header
        return await handler(request)

    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=0, ssl=login.tls or True),
        middlewares=(authorise,),
        proxy=login.proxy or None,
    )
