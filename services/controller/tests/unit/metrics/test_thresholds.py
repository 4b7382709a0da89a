"""Verdicts and their texts (metrics.md sections 5 and 13)."""

from typing import Any

import pytest

from flagger_controller.api.canary import Metric
from flagger_controller.rollout import thresholds

from .conftest import Build

HALT = "Halt podinfo.default advancement "


def metric(name: str, **fields: Any) -> Metric:
    return Metric.model_validate({"name": name, **fields})


def bounds(**fields: float) -> dict[str, Any]:
    return {"thresholdRange": fields}


CASES = [
    ("request-success-rate", {"threshold": 99}, 98, "success rate 98.00% < 99%"),
    ("request-success-rate", {"threshold": 99}, 99, None),
    ("request-success-rate", {}, 0, None),
    ("request-success-rate", bounds(min=99), 98.999, "success rate 99.00% < 99%"),
    ("request-success-rate", bounds(min=99), 99, None),
    ("request-success-rate", bounds(max=99.99), 99.999, "success rate 100.00% > 99.99%"),
    ("request-success-rate", bounds(min=90, max=99.5), 89.994, "success rate 89.99% < 90%"),
    ("request-success-rate", {"threshold": 99, **bounds()}, 1, None),
    ("request-duration", bounds(max=500), 1515.7, "request duration 1.515s > 500ms"),
    ("request-duration", bounds(max=500), 65000, "request duration 1m5s > 500ms"),
    ("request-duration", bounds(max=500), 500, None),
    ("request-duration", bounds(min=100), 5, "request duration 5ms < 100ms"),
    ("request-duration", {"threshold": 500}, 501, "request duration 501ms > 500ms"),
    ("request-duration", {"threshold": 500}, 500, None),
    ("request-duration", {}, 1, "request duration 1ms > 0s"),
    ("request-duration", bounds(max=0.5), 0.4, None),
    ("request-duration", bounds(max=0.5), 0.7, "request duration 700µs > 500µs"),
    ("request-duration", bounds(max=500), 500.4, "request duration 500.4ms > 500ms"),
    ("request-duration", bounds(max=60000), 90061000, "request duration 25h1m1s > 1m0s"),
    ("request-duration", bounds(max=500), float("inf"), "request duration +Inf > 500ms"),
    ("q", bounds(max=1234567.25), 12345678, "q 12345678.00 > 1.23456725e+06"),
    ("q", bounds(max=0.00001), 0.001, "q 0.00 > 1e-05"),
    ("q", bounds(min=10, max=1), 5, "q 5.00 < 10"),
    ("q", bounds(max=500000), 500001, "q 500001.00 > 500000"),
    ("q", bounds(min=1, max=2), 1, None),
    ("q", bounds(min=1, max=2), 2, None),
    ("q", {"threshold": 10}, 11, "q 11.00 > 10"),
    ("q", {"threshold": 10}, 10, None),
    ("q", {}, 0.1, "q 0.10 > 0"),
    ("q", {}, -3, None),
    ("q", bounds(), 1e9, None),
]


@pytest.mark.parametrize(("name", "fields", "value", "text"), CASES)
def test_verdicts(
    canary: Build, name: str, fields: dict[str, Any], value: float, text: str | None
) -> None:
    verdict = thresholds.verdict(canary(), metric(name, **fields), value)
    assert verdict == (None if text is None else HALT + text)


def test_a_query_in_a_builtin_entry_is_judged_as_any_query(canary: Build) -> None:
    entry = metric("request-success-rate", threshold=99)
    assert thresholds.custom_verdict(canary(), entry, 98) is None
    text = thresholds.custom_verdict(canary(), entry, 100)
    assert text == f"{HALT}request-success-rate 100.00 > 99"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (99, "99"),
        (99.5, "99.5"),
        (0.1, "0.1"),
        (0.0, "0"),
        (-0.0, "-0"),
        (100000, "100000"),
        (1000000, "1e+06"),
        (1234567, "1.234567e+06"),
        (12345678.9, "1.23456789e+07"),
        (1e20, "1e+20"),
        (1e22, "1e+22"),
        (0.0001, "0.0001"),
        (0.00001, "1e-05"),
        (123456.7, "123456.7"),
        (999999.5, "999999.5"),
        (0.00012345, "0.00012345"),
        (-1e-7, "-1e-07"),
        (1e100, "1e+100"),
        (float("inf"), "+Inf"),
        (float("-inf"), "-Inf"),
        (float("nan"), "NaN"),
    ],
)
def test_floats_print_as_in_go(value: float, text: str) -> None:
    assert thresholds.shortest(value) == text
