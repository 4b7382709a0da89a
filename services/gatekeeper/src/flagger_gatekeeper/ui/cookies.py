"""Who sits at the browser: the cookie with a token, and where a form was sent from."""

from typing import Final
from urllib.parse import urlsplit

import flask

NAME: Final = "gatekeeper-token"
_PATH: Final = "/ui"
_OWN: Final = frozenset({"same-origin", "none"})


def read() -> None:
    """Take the token of the browser for the present request, see `door`."""
    use(flask.request.cookies.get(NAME, ""))


def use(token: str) -> None:
    """Take a token for the present request that no header has."""
    flask.g.token = token


def kept(answer: flask.Response) -> flask.Response:
    """Let the browser send the token of this request from now on, to the page only.

    Scripts cannot read it, and other sites cannot have it sent.
    """
    answer.set_cookie(
        NAME,
        flask.g.token,
        path=_PATH,
        httponly=True,
        samesite="Strict",
        secure=_is_encrypted(),
    )
    return answer


def gone(answer: flask.Response) -> flask.Response:
    """Let the browser forget the token."""
    answer.delete_cookie(NAME, path=_PATH, httponly=True, samesite="Strict")
    return answer


def is_own_page() -> bool:
    """Say whether the present request comes from this page and not from another site's form.

    Browsers tell: `Sec-Fetch-Site`, or at least `Origin`. What says neither is no browser, and has
    to use the API.
    """
    headers = flask.request.headers
    if site := headers.get("Sec-Fetch-Site"):
        return site in _OWN
    hosts = {flask.request.host, headers.get("X-Forwarded-Host", flask.request.host)}
    return urlsplit(headers.get("Origin", "")).netloc in hosts


def _is_encrypted() -> bool:
    forwarded = flask.request.headers.get("X-Forwarded-Proto", "")
    return flask.request.is_secure or forwarded == "https"
