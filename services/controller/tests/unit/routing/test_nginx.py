"""What is special about NGINX (routing.md 7.5, edges S20 and S36)."""

from collections.abc import Mapping
from typing import Any

import pytest

from flagger_controller.api.canary import Canary
from flagger_controller.api.status import Route
from flagger_controller.api.traits import Traits
from flagger_controller.cluster import resources
from flagger_controller.cluster.client import Object, Ref
from flagger_controller.errors import ConfigError
from flagger_controller.routing import nginx_match
from flagger_controller.routing.base import RouterSettings
from flagger_controller.routing.nginx import Nginx

PREFIX = "nginx.ingress.kubernetes.io"
MAIN = Ref(resources.INGRESSES, "edge", "shop")
COPY = Ref(resources.INGRESSES, "edge-canary", "shop")
NONE, SOME, ALL = Route(), Route(primary=90, canary=10), Route(primary=0, canary=100)
AB = {"iterations": 5, "match": [{"headers": {"x-beta": {"exact": "1"}}}]}
SESSIONS = {
    f"{PREFIX}/affinity": "cookie",
    f"{PREFIX}/session-cookie-name": "ck",
    f"{PREFIX}/session-cookie-max-age": "86400",
}


def canary(**analysis: Any) -> Canary:
    return Canary.from_api(
        {
            "metadata": {"name": "cart", "namespace": "shop", "uid": "1"},
            "spec": {
                "targetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "cart"},
                "ingressRef": {
                    "apiVersion": "networking.k8s.io/v1",
                    "kind": "Ingress",
                    "name": "edge",
                },
                "service": {"port": 80},
                "analysis": analysis,
            },
        }
    )


def backend(service: str) -> Object:
    return {"service": {"name": service, "port": {"number": 80}}}


def main(annotations: Mapping[str, str] | None = None, **spec: Any) -> dict[Ref, Object]:
    rule = {"http": {"paths": [{"path": "/", "backend": backend("cart")}]}}
    metadata = {"name": "edge", "namespace": "shop", "annotations": dict(annotations or {})}
    return {MAIN: {"kind": "Ingress", "metadata": metadata, "spec": {"rules": [rule], **spec}}}


def made(made_for: Canary, route: Route, live: Mapping[Ref, Object]) -> Object:
    return Nginx(RouterSettings()).desired(made_for, Traits(None), route, live)[COPY]


def keys(body: Object, prefix: str = PREFIX) -> dict[str, str]:
    """The annotations for NGINX, without their prefix."""
    annotations = body["metadata"]["annotations"].items()
    return {key.partition("/")[2]: text for key, text in annotations if key.startswith(prefix)}


def test_only_paths_to_the_apex_change() -> None:
    paths = [
        {"path": "/", "pathType": "Prefix", "backend": backend("cart")},
        {"path": "/help", "backend": backend("help")},
        {"path": "/files", "backend": {"resource": {"kind": "Bucket", "name": "cart"}}},
    ]
    rules = [{"host": "a", "http": {"paths": paths}}, {"host": "b"}]
    spec = made(canary(), NONE, main(rules=rules, tls=[{"hosts": ["a"]}]))["spec"]
    changed = {"path": "/", "pathType": "Prefix", "backend": backend("cart-canary")}
    assert spec["rules"] == [{"host": "a", "http": {"paths": [changed, *paths[1:]]}}, {"host": "b"}]
    assert spec["tls"] == [{"hosts": ["a"]}]


def test_an_ingress_without_a_path_to_the_apex_is_refused() -> None:
    rule = {"http": {"paths": [{"path": "/", "backend": backend("other")}]}}
    with pytest.raises(ConfigError, match="backend cart not found in ingress edge"):
        made(canary(), NONE, main(rules=[rule], defaultBackend=backend("other")))


@pytest.mark.parametrize(
    ("given", "copied"), [("cart", backend("cart-canary")), ("other", None), (None, None)]
)
def test_the_default_backend_is_copied_only_if_it_is_the_apex(
    given: str | None, copied: Object | None
) -> None:
    live = main(defaultBackend=backend(given) if given else None)
    assert made(canary(), NONE, live)["spec"].get("defaultBackend") == copied


def test_an_ingress_that_is_a_default_backend_only_has_a_copy() -> None:
    spec = made(canary(), NONE, main(rules=None, defaultBackend=backend("cart")))["spec"]
    assert spec == {"defaultBackend": backend("cart-canary")}


def test_another_prefix_of_the_annotations() -> None:
    router = Nginx(RouterSettings(ingress_annotations_prefix="nginx.shop"))
    body = router.desired(canary(), Traits(None), SOME, main())[COPY]
    assert keys(body, "nginx.shop") == {"canary": "true", "canary-weight": "10"}
    assert keys(body) == {}
    assert router.read(canary(), {COPY: body}) == SOME


def test_canary_settings_of_the_original_are_not_copied() -> None:
    given = {f"{PREFIX}/canary-by-header": "x", f"{PREFIX}/load-balance": "ewma"}
    wanted = {"canary": "true", "canary-weight": "10", "load-balance": "ewma"}
    assert keys(made(canary(), SOME, main(given))) == wanted


def test_what_the_original_says_no_more_goes_and_others_keys_stay() -> None:
    live = main({f"{PREFIX}/load-balance": "ewma"})
    live[COPY] = made(canary(**AB), ALL, live)
    live[COPY]["metadata"]["annotations"]["example.com/seen"] = "yes"
    live[COPY]["metadata"]["annotations"][f"{PREFIX}/canary-weight-total"] = "1000"
    body = made(canary(), SOME, {**main(), COPY: live[COPY]})
    assert keys(body) == {"canary": "true", "canary-weight": "10"}
    assert body["metadata"]["annotations"]["example.com/seen"] == "yes"


def test_conditions_are_there_while_the_canary_is_tested() -> None:
    router = Nginx(RouterSettings())
    for route, by in ((NONE, None), (ALL, "x-beta"), (NONE, None)):
        body = made(canary(**AB), route, main())
        assert keys(body).get("canary-by-header") == by
        assert keys(body)["canary-weight"] == "0"
        assert router.read(canary(**AB), {COPY: body}) == route


def test_conditions_of_a_run_that_is_over_do_not_count() -> None:
    body = made(canary(**AB), ALL, main())
    assert Nginx(RouterSettings()).read(canary(), {COPY: body}) == NONE


@pytest.mark.parametrize(
    ("analysis", "text"),
    [
        ({"match": AB["match"], "stepWeight": 10}, "set iterations beside it"),
        ({**AB, "stepWeightPromotion": 10}, "set no stepWeightPromotion beside it"),
        ({**AB, "sessionAffinity": {"cookieName": "ck"}}, "remove one of them"),
    ],
)
def test_what_does_not_go_with_conditions_is_refused(
    analysis: Mapping[str, Any], text: str
) -> None:
    with pytest.raises(ConfigError, match=text):
        made(canary(**analysis), NONE, main(SESSIONS))


@pytest.mark.parametrize(
    ("headers", "annotations"),
    [
        ([{"x-a": {"exact": "a.b"}}], {"canary-by-header": "x-a", "canary-by-header-value": "a.b"}),
        (
            [{"x-a": {"regex": "a|b"}}],
            {"canary-by-header": "x-a", "canary-by-header-pattern": "a|b"},
        ),
        (
            [{"x-a": {"prefix": "a."}}],
            {"canary-by-header": "x-a", "canary-by-header-pattern": r"^a\."},
        ),
        (
            [{"x-a": {"suffix": "+a"}}],
            {"canary-by-header": "x-a", "canary-by-header-pattern": r"\+a$"},
        ),
        (
            [{"x-a": {"exact": "a.b"}}, {"X-A": {"regex": "c|d"}}, {"x-a": {"suffix": "e"}}],
            {"canary-by-header": "x-a", "canary-by-header-pattern": r"^a\.b$|(?:c|d)|e$"},
        ),
        (
            [{"x-a": {"exact": "a"}}, {"x-a": {"exact": "a"}}],
            {"canary-by-header": "x-a", "canary-by-header-value": "a"},
        ),
        ([{"cookie": {"exact": "beta"}}], {"canary-by-cookie": "beta"}),
        (
            [{"Cookie": {"exact": "beta"}}, {"x-a": {"exact": "a"}}],
            {"canary-by-header": "x-a", "canary-by-header-value": "a", "canary-by-cookie": "beta"},
        ),
    ],
)
def test_entries_are_alternatives(
    headers: list[Mapping[str, Any]], annotations: Mapping[str, str]
) -> None:
    assert nginx_match.conditions([{"headers": each} for each in headers]) == annotations


@pytest.mark.parametrize(
    ("entries", "text"),
    [
        ([{"headers": {"a": {"exact": "1"}, "b": {"exact": "1"}}}], r"match\[0\] has 2 headers"),
        ([{}], r"match\[0\] has 0 headers"),
        ([{"headers": {"a": {"exact": "1"}}}, {"headers": {"b": {"exact": "1"}}}], "one of a, b"),
        (
            [{"headers": {"cookie": {"exact": "a"}}}, {"headers": {"Cookie": {"exact": "b"}}}],
            "several cookies, and NGINX can check one: keep one of a, b",
        ),
        ([{"headers": {"cookie": {"regex": "a"}}}], r"headers\.cookie: .* name that cookie"),
        ([{"headers": {"a": {"exact": ""}}}], r"match\[0\]\.headers\.a says nothing"),
        ([{"headers": {"a": {}}}], r"match\[0\]\.headers\.a says nothing"),
        ([{"queryParams": {"a": {"exact": "1"}}}], r"match\[0\]\.queryParams"),
        ([{"sourceLabels": {"a": "b"}}], r"match\[0\]\.sourceLabels"),
        (
            [{"headers": {"a": {"exact": "1"}}, "queryParams": {"a": {"exact": "1"}}}],
            r"match\[0\]\.queryParams",
        ),
    ],
)
def test_what_annotations_cannot_express_is_refused(entries: list[Object], text: str) -> None:
    with pytest.raises(ConfigError, match=text):
        nginx_match.conditions(entries)


def test_sessions_are_kept_while_the_canary_has_traffic() -> None:
    asked = canary(stepWeight=10, sessionAffinity={"cookieName": "ck"})
    assert keys(made(asked, SOME, main(SESSIONS)))["affinity-canary-behavior"] == "sticky"
    assert keys(made(asked, NONE, main(SESSIONS)))["affinity-canary-behavior"] == "legacy"


def test_no_session_stays_on_a_canary_without_traffic() -> None:
    unasked = canary(stepWeight=10)
    given = {**SESSIONS, f"{PREFIX}/affinity-canary-behavior": "sticky"}
    assert keys(made(unasked, NONE, main(given)))["affinity-canary-behavior"] == "legacy"
    assert keys(made(unasked, SOME, main(given)))["affinity-canary-behavior"] == "sticky"
    assert "affinity-canary-behavior" not in keys(made(unasked, SOME, main(SESSIONS)))
    assert "affinity-canary-behavior" not in keys(made(unasked, NONE, main()))


def test_sessions_that_the_original_does_not_keep_are_refused() -> None:
    options = {
        "cookieName": "ck",
        "maxAge": 60,
        "domain": "shop.example.org",
        "path": "/cart",
        "sameSite": "Lax",
        "secure": True,
    }
    asked = canary(stepWeight=10, sessionAffinity=options)
    with pytest.raises(ConfigError) as refused:
        made(asked, NONE, main({f"{PREFIX}/affinity": "cookie"}))
    added = dict(
        pair.split(": ") for pair in str(refused.value).partition("annotations ")[2].split(", ")
    )
    assert set(added) == {
        f"{PREFIX}/session-cookie-{name}"
        for name in ("name", "max-age", "domain", "path", "samesite", "secure")
    }
    annotations = {key: text.strip('"') for key, text in added.items()}
    given = {f"{PREFIX}/affinity": "cookie", **annotations}
    assert keys(made(asked, SOME, main(given)))["session-cookie-samesite"] == "Lax"


@pytest.mark.parametrize(("option", "value"), [("primaryCookieName", "pk"), ("partitioned", True)])
def test_options_that_nginx_does_not_have_are_refused(option: str, value: Any) -> None:
    asked = canary(stepWeight=10, sessionAffinity={"cookieName": "ck", option: value})
    with pytest.raises(ConfigError, match=rf"sessionAffinity\.{option}: .*remove it"):
        made(asked, NONE, main(SESSIONS))
