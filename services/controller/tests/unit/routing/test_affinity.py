"""Cookies in routes."""

from typing import Any

import pytest

from flagger_controller.api.canary import Canary
from flagger_controller.api.status import Route
from flagger_controller.routing.affinity import Affinity, Pin, affinity

RUNNING = {"sessionAffinityCookie": "ck=abc", "primarySessionAffinityCookie": "pk=def"}


def canary_with(
    options: dict[str, Any] | None, status: dict[str, str], interval: str = "1m30s"
) -> Canary:
    analysis = {"interval": interval} | ({"sessionAffinity": options} if options else {})
    return Canary.from_api(
        {
            "metadata": {"name": "cart", "namespace": "shop"},
            "spec": {
                "targetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "cart"},
                "service": {"port": 80},
                "analysis": analysis,
            },
            "status": status,
        }
    )


def test_no_cookies_without_the_option() -> None:
    assert affinity(canary_with(None, RUNNING), Route(primary=90, canary=10)) == Affinity()


@pytest.mark.parametrize("weight", [1, 50, 100])
def test_visitors_of_the_canary_are_pinned_to_it(weight: int) -> None:
    canary = canary_with({"cookieName": "ck"}, RUNNING)
    assert affinity(canary, Route(primary=100 - weight, canary=weight)) == Affinity(
        pins=(Pin(".*ck.*abc.*", 0),), canary="ck=abc; Max-Age=86400"
    )


def test_the_primary_has_a_cookie_for_one_interval_when_it_is_named() -> None:
    canary = canary_with({"cookieName": "ck", "primaryCookieName": "pk", "maxAge": 5}, RUNNING)
    route = Route(primary=90, canary=10)
    assert affinity(canary, route) == Affinity(
        pins=(Pin(".*ck.*abc.*", 0), Pin(".*pk.*def.*", 100)),
        primary="pk=def; Max-Age=90",
        canary="ck=abc; Max-Age=5",
    )
    assert affinity(canary, route, primary_cookie=False).primary == ""


def test_an_interval_that_cannot_be_parsed_counts_as_the_default() -> None:
    options = {"cookieName": "ck", "primaryCookieName": "pk"}
    canary = canary_with(options, RUNNING, interval="soon")
    assert affinity(canary, Route(primary=90, canary=10)).primary == "pk=def; Max-Age=60"


def test_the_old_cookie_is_expired_where_it_was_set() -> None:
    """Browsers keep a cookie whose domain and path are not repeated (S11)."""
    options = {"cookieName": "ck", "primaryCookieName": "pk", "domain": "d.org", "path": "/p"}
    canary = canary_with(options, {"previousSessionAffinityCookie": "ck=abc"})
    expire = "ck=abc; Max-Age=-1; Domain=d.org; Path=/p"
    assert affinity(canary, Route()) == Affinity(pins=(Pin(".*ck.*abc.*", 100, expire),))


def test_nothing_to_expire_before_the_first_run() -> None:
    """Upstream writes the weighted route twice (S15)."""
    assert affinity(canary_with({"cookieName": "ck"}, {}), Route()) == Affinity()


def test_attributes_come_in_the_order_of_upstream() -> None:
    options = {
        "cookieName": "ck",
        "secure": True,
        "sameSite": "Strict",
        "path": "/",
        "partitioned": True,
        "httpOnly": True,
        "domain": "d.org",
    }
    text = affinity(canary_with(options, RUNNING), Route(primary=0, canary=100)).canary
    assert text == (
        "ck=abc; Max-Age=86400; Domain=d.org; HttpOnly; Partitioned; Path=/; "
        "SameSite=Strict; Secure"
    )


def test_names_with_a_meaning_in_expressions_are_quoted() -> None:
    """Upstream does not, and `a.b` also matches `aXb` (S18)."""
    canary = canary_with({"cookieName": "a.b-c"}, {"sessionAffinityCookie": "a.b-c=xyz"})
    assert affinity(canary, Route(primary=0, canary=100)).pins[0].pattern == r".*a\.b-c.*xyz.*"


def test_without_a_cookie_in_the_status_the_route_has_none() -> None:
    canary = canary_with({"cookieName": "ck", "primaryCookieName": "pk"}, {})
    assert affinity(canary, Route(primary=90, canary=10)) == Affinity()
