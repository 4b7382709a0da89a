"""Traefik: clients of the canary get a cookie, and stay on it while it has traffic."""

from typing import Any

import pytest

from flagger_controller.api.status import Route
from flagger_controller.cluster import resources
from flagger_controller.cluster.client import Object, Ref
from flagger_controller.errors import ConfigError

from .test_traefik_rules import (
    BETA,
    CART,
    LAST,
    OURS,
    SPLIT,
    TRAEFIK,
    canary_with,
    desired,
    rule,
    users,
)

AFFINITY = Ref(resources.TRAEFIK_SERVICES, "cart-affinity", "shop")
SOME = Route(primary=80, canary=20)
HOUR = {"cookieName": "ck", "maxAge": 3600}


def weighted(body: Object) -> dict[str, int]:
    return {each["name"]: each["weight"] for each in body["spec"]["weighted"]["services"]}


def sticky(body: Object) -> Any:
    return body["spec"]["weighted"]["sticky"]


def test_clients_of_the_canary_get_a_cookie_and_whoever_has_it_stays() -> None:
    """A cookie of the apex itself would keep clients of the primary there, against the weights."""
    canary = canary_with(stepWeight=10, sessionAffinity=HOUR)
    found = desired(canary, SOME, users(rule("Host(`a`)")))
    assert weighted(found[CART]) == {"cart-primary": 80, "cart-affinity": 20}
    assert "sticky" not in found[CART]["spec"]["weighted"]
    assert weighted(found[AFFINITY]) == {"cart-canary": 100}
    assert sticky(found[AFFINITY]) == {"cookie": {"name": "ck", "maxAge": 3600}}
    (copy,) = found[OURS]["spec"]["routes"]
    assert copy["match"] == r"(Host(`a`)) && (HeaderRegexp(`Cookie`, `(?:^|;\s*)ck=`))"
    assert copy["services"] == [{"kind": "TraefikService", "name": "cart-affinity"}]
    assert TRAEFIK.read(canary, found) == SOME


def test_without_traffic_for_the_canary_the_cookie_is_taken_back() -> None:
    canary = canary_with(stepWeight=10, sessionAffinity=HOUR)
    running = {**users(rule()), **desired(canary, SOME, users(rule()))}
    over = desired(canary, Route(), running)
    assert weighted(over[CART]) == {"cart-primary": 100}
    assert weighted(over[AFFINITY]) == {"cart-primary": 100}
    assert sticky(over[AFFINITY]) == {"cookie": {"name": "ck", "maxAge": -1}}
    assert over[OURS] is running[OURS], "who has the cookie still comes here"


def test_all_traffic_on_the_canary_still_gives_the_cookie() -> None:
    canary = canary_with(stepWeight=10, sessionAffinity=HOUR)
    found = desired(canary, LAST, users(rule()))
    assert weighted(found[CART]) == {"cart-affinity": 100}
    assert TRAEFIK.read(canary, found) == LAST


def test_attributes_of_the_cookie_and_what_others_added_to_it() -> None:
    attributes = {"domain": "a", "path": "/x", "secure": True, "httpOnly": True, "sameSite": "Lax"}
    canary = canary_with(stepWeight=10, sessionAffinity={"cookieName": "ck", **attributes})
    live = {**users(rule()), **desired(canary, SOME, users(rule()))}
    sticky(live[AFFINITY])["cookie"]["later"] = 1
    assert sticky(desired(canary, Route(), live)[AFFINITY])["cookie"] == {
        **{"name": "ck", "maxAge": -1, "domain": "a", "path": "/x", "secure": True},
        **{"httpOnly": True, "sameSite": "lax", "later": 1},
    }
    plain = canary_with(stepWeight=10, sessionAffinity={"cookieName": "ck"})
    cookie = sticky(desired(plain, SOME, live)[AFFINITY])["cookie"]
    assert cookie == {"name": "ck", "maxAge": 86400, "later": 1}


def test_names_with_a_meaning_in_expressions_are_quoted() -> None:
    canary = canary_with(stepWeight=10, sessionAffinity={"cookieName": "c.k"})
    (copy,) = desired(canary, SOME, users(rule()))[OURS]["spec"]["routes"]
    assert r"(?:^|;\s*)c\.k=" in copy["match"]


@pytest.mark.parametrize(
    ("affinity", "message"),
    [
        ({"primaryCookieName": "pk"}, r"sessionAffinity\.primaryCookieName cannot be served"),
        ({"partitioned": True}, r"sessionAffinity\.partitioned cannot be served"),
        ({"cookieName": "a`b"}, "Cookie has a backtick"),
    ],
)
def test_cookies_that_traefik_does_not_have_are_refused(affinity: Object, message: str) -> None:
    canary = canary_with(stepWeight=10, sessionAffinity={"cookieName": "ck", **affinity})
    with pytest.raises(ConfigError, match=message):
        desired(canary, Route(), users(rule()))


def test_cookies_need_the_users_rules() -> None:
    canary = canary_with(None, stepWeight=10, sessionAffinity=HOUR)
    with pytest.raises(ConfigError, match=r"sessionAffinity needs the IngressRoute"):
        desired(canary, Route(), {})


def test_conditions_win_over_cookies() -> None:
    canary = canary_with(iterations=5, match=[BETA], sessionAffinity=HOUR)
    found = desired(canary, LAST, users(rule()))
    assert AFFINITY not in found
    assert weighted(found[SPLIT]) == {"cart-canary": 100}
    assert weighted(found[CART]) == {"cart-primary": 100}


def test_cookies_that_are_not_asked_for_any_more_lead_nowhere() -> None:
    live = {
        **users(rule()),
        **desired(canary_with(stepWeight=10, sessionAffinity=HOUR), SOME, users(rule())),
    }
    found = desired(canary_with(stepWeight=10), SOME, live)
    assert found[OURS]["spec"]["routes"] == []
    assert weighted(found[AFFINITY]) == {"cart-primary": 100}
    assert weighted(found[CART]) == {"cart-primary": 80, "cart-canary": 20}
