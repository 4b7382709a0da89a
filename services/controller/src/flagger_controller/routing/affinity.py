"""Session cookies, shared by the providers that have them (routing.md 4.5).

The engine creates and rotates the cookies and keeps them in the status; here they are only turned
into what a route must do about them.
"""

import re
from dataclasses import dataclass
from typing import Final

from flagger_controller.api.canary import Canary, SessionAffinity
from flagger_controller.api.status import Route

COOKIE: Final = "Cookie"
SET_COOKIE: Final = "Set-Cookie"
DEFAULT_MAX_AGE: Final = 86400
"""Seconds a client stays on the canary."""
_META: Final = re.compile(r"[\\.+*?()|\[\]{}^$]")


@dataclass(frozen=True)
class Pin:
    """Requests that carry a cookie all go to one version."""

    pattern: str
    """Regular expression for the Cookie header."""
    primary: int
    """Percent on the primary, 0 or 100."""
    expire: str = ""
    """The Set-Cookie text that makes the client forget the cookie."""


@dataclass(frozen=True)
class Affinity:
    """What a route does about cookies."""

    pins: tuple[Pin, ...] = ()
    """In the order of the rules, all before the weighted one."""
    primary: str = ""
    """The Set-Cookie text on answers of the primary, for requests without a cookie."""
    canary: str = ""
    """The same for answers of the canary."""


def affinity(canary: Canary, route: Route, *, primary_cookie: bool = True) -> Affinity:
    """Cookies for this split.

    While the canary has traffic its visitors are pinned to it, and the primary's to the primary
    when that is asked for; afterwards the old cookie is expired.

    Args:
        canary: with `analysis.sessionAffinity` and the cookies in its status.
        route: the split to show.
        primary_cookie: False where the provider does not know the primary's cookie.
    """
    options = canary.analysis.session_affinity
    status = canary.status
    if options is None:
        return Affinity()
    if route.canary == 0:
        old = status.previous_session_affinity_cookie
        return Affinity((Pin(_pattern(old), 100, _text(old, -1, options)),) if old else ())
    ours = status.session_affinity_cookie
    theirs = status.primary_session_affinity_cookie
    if not (primary_cookie and options.primary_cookie_name):
        theirs = ""
    pins = tuple(
        Pin(_pattern(cookie), primary) for cookie, primary in ((ours, 0), (theirs, 100)) if cookie
    )
    return Affinity(
        pins=pins,
        primary=_text(theirs, int(canary.interval), options),
        canary=_text(ours, options.max_age or DEFAULT_MAX_AGE, options),
    )


def _pattern(cookie: str) -> str:
    """A client's header may hold other cookies before and after ours."""
    name, _, value = cookie.partition("=")
    return f".*{quoted(name)}.*{quoted(value)}.*"


def quoted(text: str) -> str:
    """Only what has a meaning in every dialect, so that plain names stay readable (S18)."""
    return _META.sub(lambda found: f"\\{found[0]}", text)


def _text(cookie: str, max_age: int, options: SessionAffinity) -> str:
    """The Set-Cookie text; browsers delete a cookie only under its own domain and path (S11)."""
    if not cookie:
        return ""
    parts = (
        cookie,
        f"Max-Age={max_age}",
        f"Domain={options.domain}" if options.domain else "",
        "HttpOnly" if options.http_only else "",
        "Partitioned" if options.partitioned else "",
        f"Path={options.path}" if options.path else "",
        f"SameSite={options.same_site}" if options.same_site else "",
        "Secure" if options.secure else "",
    )
    return "; ".join(part for part in parts if part)
