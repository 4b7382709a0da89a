"""Conditions: combined, mapped, and refused rather than dropped (S4)."""

from typing import Any

import pytest

from flagger_controller.api.base import Object
from flagger_controller.errors import ConfigError
from flagger_controller.routing import http_match

ROOT = {"path": {"type": "PathPrefix", "value": "/"}}


def test_every_condition_meets_every_match() -> None:
    conditions: list[Object] = [
        {"headers": {"a": {"exact": "1"}}},
        {"sourceLabels": {"app": "web"}},
    ]
    matches: list[Object] = [
        {"uri": {"prefix": "/x"}, "headers": {"b": {"exact": "2"}}},
        {"uri": {"exact": "/"}},
    ]
    assert http_match.istio_tested(conditions, matches) == [
        {"uri": {"prefix": "/x"}, "headers": {"a": {"exact": "1"}}},
        {"uri": {"exact": "/"}, "headers": {"a": {"exact": "1"}}},
        {
            "uri": {"prefix": "/x"},
            "headers": {"b": {"exact": "2"}},
            "sourceLabels": {"app": "web"},
        },
        {"uri": {"exact": "/"}, "sourceLabels": {"app": "web"}},
    ]


def test_conditions_stay_as_they_are_without_matches_of_the_service() -> None:
    conditions = [{"headers": {"a": {"exact": "1"}}, "method": {"exact": "GET"}}]
    assert http_match.istio_tested(conditions, []) == conditions


def test_query_parameters_are_conditions_too() -> None:
    """Upstream forgets them beside `service.match`, so that everybody meets the condition."""
    condition = {"queryParams": {"beta": {"exact": "1"}}}
    tested = http_match.istio_tested([condition], [{"uri": {"prefix": "/"}}])
    assert tested == [{"uri": {"prefix": "/"}, **condition}]


@pytest.mark.parametrize(
    ("condition", "matches"),
    [
        ({}, []),
        ({"headers": {}}, []),
        ({"method": {"exact": "GET"}}, [{"uri": {"prefix": "/"}}]),
        ({"headers": {"a": {"suffix": "x"}}}, []),
    ],
)
def test_istio_conditions_that_would_match_everybody_are_refused(
    condition: dict[str, Any], matches: list[dict[str, Any]]
) -> None:
    with pytest.raises(ConfigError, match=r"spec\.analysis\.match\[0\]"):
        http_match.istio_tested([condition], matches)


def test_a_cookie_is_one_more_header() -> None:
    """Upstream replaces the service's headers, so that the cookie opens more than the route."""
    match = {"uri": {"prefix": "/x"}, "headers": {"tenant": {"exact": "a"}}}
    assert http_match.istio_sticky([match], "ck") == [
        {"uri": {"prefix": "/x"}, "headers": {"tenant": {"exact": "a"}, "Cookie": {"regex": "ck"}}}
    ]
    assert http_match.istio_sticky([], "ck") == [{"headers": {"Cookie": {"regex": "ck"}}}]


@pytest.mark.parametrize(
    ("match", "expected"),
    [
        ({"uri": {"prefix": "/x"}}, {"path": {"type": "PathPrefix", "value": "/x"}}),
        ({"uri": {"exact": "/x"}}, {"path": {"type": "Exact", "value": "/x"}}),
        (
            {"uri": {"prefix": "/x", "exact": "/y", "regex": "/z"}},
            {"path": {"type": "RegularExpression", "value": "/z"}},
        ),
        ({"method": {"exact": "GET"}}, {**ROOT, "method": "GET"}),
        (
            {"headers": {"b": {"regex": "2"}, "a": {"exact": "1"}}},
            {
                **ROOT,
                "headers": [
                    {"type": "Exact", "name": "a", "value": "1"},
                    {"type": "RegularExpression", "name": "b", "value": "2"},
                ],
            },
        ),
        (
            {"queryParams": {"q": {"exact": "1"}}},
            {**ROOT, "queryParams": [{"type": "Exact", "name": "q", "value": "1"}]},
        ),
    ],
)
def test_matches_are_mapped_to_gateway_api(match: dict[str, Any], expected: dict[str, Any]) -> None:
    assert http_match.gateway_matches([match]) == [expected]


def test_what_gateway_api_does_not_know_is_left_out() -> None:
    unknown = {"scheme": {"exact": "https"}, "port": 80, "ignoreUriCase": True}
    assert http_match.gateway_matches([]) == [ROOT]
    assert http_match.gateway_matches([unknown]) == [ROOT]
    kept = {"path": {"type": "Exact", "value": "/"}}
    assert http_match.gateway_matches([unknown, {"uri": {"exact": "/"}}]) == [kept]


@pytest.mark.parametrize(
    "match",
    [
        {"uri": {"suffix": "/x"}},
        {"method": {"prefix": "G"}},
        {"headers": {"a": {"prefix": "x"}}},
        {"headers": {"a": {}}},
        {"headers": {"a": None}},
        {"queryParams": {"a": {"prefix": "x"}}},
    ],
)
def test_operators_that_gateway_api_does_not_have_are_refused(match: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match=r"spec\.service\.match\[0\]\..*Gateway API has no"):
        http_match.gateway_matches([match])


@pytest.mark.parametrize(
    "condition",
    [
        {},
        {"headers": {}},
        {"sourceLabels": {"app": "web"}},
        {"headers": {"a": {"exact": "1"}}, "sourceLabels": {"app": "web"}},
        {"headers": {"a": {"prefix": "x"}}},
        {"headers": {"a": {"suffix": "x"}}},
        {"uri": {"prefix": "/x"}},
    ],
)
def test_gateway_conditions_that_would_match_everybody_are_refused(
    condition: dict[str, Any],
) -> None:
    """Upstream drops them, and sends all traffic to the canary (S4)."""
    with pytest.raises(ConfigError, match=r"spec\.analysis\.match\[0\]"):
        http_match.gateway_conditions([condition])


def test_a_header_is_named_once_a_match() -> None:
    match = {**ROOT, "headers": [{"type": "Exact", "name": "cookie", "value": "old"}]}
    (sticky,) = http_match.gateway_sticky([match], "ck")
    assert sticky["headers"] == [{"type": "RegularExpression", "name": "Cookie", "value": "ck"}]
