"""A metrics endpoint as a process of its own: every application is healthy.

It answers in microseconds and shares no interpreter with the observer, so that a thousand releases
wait for their controller rather than for it.
"""

import argparse
from typing import Final

from aiohttp import web

PATH: Final = "/api/v1/query"
PROBE: Final = "vector(1)"
"""What controllers ask to learn whether a server is there; the answer is one."""
HEALTHY: Final = "100"
STOP_SECONDS: Final = 1.0


async def answer(request: web.Request) -> web.Response:
    """Answer an instant query: a success rate of 100 percent."""
    value = "1" if request.query.get("query") == PROBE else HEALTHY
    result = [{"metric": {}, "value": [1.0, value]}]
    data = {"resultType": "vector", "result": result}
    return web.json_response({"status": "success", "data": data})


def application() -> web.Application:
    """Return the server."""
    served = web.Application()
    served.router.add_get(PATH, answer)
    return served


def main() -> None:
    """Serve on loopback until a signal comes."""
    parser = argparse.ArgumentParser(prog="python -m bench.scale.prometheus", description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    port = parser.parse_args().port
    web.run_app(
        application(),
        host="127.0.0.1",
        port=port,
        print=None,
        access_log=None,
        shutdown_timeout=STOP_SECONDS,
    )


if __name__ == "__main__":
    main()
