"""Parts of a Canary that stay dicts: what an older definition let in is refused by name."""

from typing import Any

import pydantic
import pytest

from flagger_controller.api.analysis import Analysis
from flagger_controller.api.canary import CanaryService


def refusal(model: type[pydantic.BaseModel], **fields: Any) -> str:
    with pytest.raises(pydantic.ValidationError) as caught:
        model.model_validate({"port": 80, **fields})
    (error,) = caught.value.errors()
    return f"{'.'.join(map(str, error['loc']))}: {error['msg']}"


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        (
            {"match": [{"uri": {"prefix": "/"}}, {"headers": {"x": 0.5}}]},
            "match.1: Value error, headers.x should be of type object",
        ),
        (
            {"match": [{"uri": {"exact": 1}, "method": "GET"}]},
            "match.0: Value error, uri.exact should be of type string; "
            "method should be of type object",
        ),
        (
            {"corsPolicy": {"allowOrigin": ["x", {}]}},
            "corsPolicy: Value error, allowOrigin.1 should be of type string",
        ),
        (
            {"headers": {"request": {"remove": "x"}}},
            "headers: Value error, request.remove should be of type array",
        ),
        (
            {"gatewayRefs": [{"name": "edge", "port": "http"}]},
            "gatewayRefs.0: Value error, port should be of type integer",
        ),
        (
            {"mirror": [{"backendRef": []}]},
            "mirror.0: Value error, backendRef should be of type object",
        ),
        (
            {"retries": {"attempts": "3"}},
            "retries: Value error, attempts should be of type integer",
        ),
        ({"rewrite": {"uri": {}}}, "rewrite: Value error, uri should be of type string"),
        (
            {"trafficPolicy": {"tls": 5}},
            "trafficPolicy: Value error, tls should be of type object",
        ),
    ],
)
def test_wrong_types_are_named(fields: dict[str, Any], text: str) -> None:
    assert refusal(CanaryService, **fields) == text


def test_conditions_of_the_analysis_are_checked_too() -> None:
    text = "match.0: Value error, headers should be of type object"
    assert refusal(Analysis, match=[{"headers": []}]) == text


@pytest.mark.parametrize(
    "fields",
    [
        {"match": [{"uri": None, "headers": {"x": None}, "port": 80.0, "unknown": []}]},
        {"retries": {"attempts": None}},
        {"corsPolicy": {}},
    ],
)
def test_null_unknown_and_empty_are_no_mistakes(fields: dict[str, Any]) -> None:
    CanaryService.model_validate({"port": 80, **fields})
