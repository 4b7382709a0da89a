"""HTTP calls to other load-test systems: one small JSON document in return, within a time limit."""

import json
from collections.abc import Mapping
from typing import Any, Final

import requests

TIMEOUT: Final = 60.0
"""Seconds for connecting, and again for each part of the answer."""
_MAX_ANSWER: Final = 1024 * 1024


class RemoteError(RuntimeError):
    """The other system did not answer with a JSON object; the message says what happened."""


def call(
    method: str,
    url: str,
    *,
    headers: Mapping[str, str] | None = None,
    auth: tuple[str, str] | None = None,
    fields: list[tuple[str, str]] | None = None,
) -> dict[str, Any]:
    """Send one request and decode the answer; the status code is not looked at, as upstream.

    Args:
        method: HTTP method.
        url: absolute URL.
        headers: additional headers.
        auth: user and password for basic authentication.
        fields: sent as multipart form, in this order.

    Raises:
        RemoteError: for a broken connection, an answer above one megabyte or without a JSON object.
    """
    files = [(name, (None, value)) for name, value in fields or []]
    try:
        with requests.request(
            method, url, headers=headers, auth=auth, files=files, timeout=TIMEOUT, stream=True
        ) as response:
            raw = response.raw.read(_MAX_ANSWER + 1, decode_content=True)
    except (requests.RequestException, OSError) as error:
        raise RemoteError(str(error)) from error
    if len(raw) > _MAX_ANSWER:
        raise RemoteError("the answer is too large")
    try:
        answer = json.loads(raw)
    except ValueError as error:
        raise RemoteError(f"the answer is not JSON: {error}") from error
    if not isinstance(answer, dict):
        raise RemoteError("the answer is not a JSON object")
    return answer
