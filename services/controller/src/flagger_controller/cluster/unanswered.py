"""Says of every failure to get an answer that the API server is unavailable, and why."""

import ssl
from collections.abc import Iterator
from contextlib import contextmanager

import aiohttp

from flagger_controller.cluster.client import Call, api_error


@contextmanager
def translated(call: Call, timeout: float) -> Iterator[None]:
    """Raise `ApiUnavailable` for whatever goes wrong on the way; `timeout` is told, in seconds."""
    try:
        yield
    except TimeoutError:
        text = f"no answer from the API server within {timeout:g} s"
        raise api_error(0, "Timeout", text, call=call) from None
    except (aiohttp.ClientError, OSError) as error:
        text = str(error) or type(error).__name__
        raise api_error(0, _reason(error), text, call=call) from error


def _reason(error: Exception) -> str:
    """Why there is no connection, in the words of `failures`."""
    match error:
        case aiohttp.ClientConnectorDNSError():
            return "DNS"
        case aiohttp.ClientSSLError() | ssl.SSLError():
            return "TLS"
        case _:
            return "Unreachable"
