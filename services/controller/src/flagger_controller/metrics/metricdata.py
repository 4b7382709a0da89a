"""MetricDataQuery, in which queries for CloudWatch are written (metrics.md 9.5); pure."""

import json
from datetime import timedelta
from typing import Any, Final

from flagger_controller.api.base import Object
from flagger_controller.metrics.base import SourceError

_QUERY: Final[Object] = {
    "Id": None,
    "Expression": None,
    "Label": None,
    "Period": None,
    "ReturnData": None,
    "AccountId": None,
    "MetricStat": {
        "Period": None,
        "Stat": None,
        "Unit": None,
        "Metric": {
            "Namespace": None,
            "MetricName": None,
            "Dimensions": [{"Name": None, "Value": None}],
        },
    },
}
"""The members of a MetricDataQuery that are passed on."""


def decode(query: str) -> list[Object]:
    """The queries of a template, their members in the case that the SDK wants.

    Raises:
        SourceError: it is no JSON array of such queries.
    """
    try:
        document = json.loads(query)
        if not isinstance(document, list):
            raise ValueError("it is not a JSON array")
        found = [_picked(each, _QUERY) for each in document]
    except (ValueError, RecursionError) as error:
        raise SourceError(f"error unmarshaling query: {error}") from error
    return found


def _picked(found: Any, shape: Any) -> Any:
    """The known members, whatever the case of their names; others are dropped."""
    if isinstance(shape, list) and isinstance(found, list):
        return [_picked(each, shape[0]) for each in found]
    if not isinstance(shape, dict):
        return found
    if not isinstance(found, dict):
        raise ValueError(f"{found!r} is not an object")
    names = {name.lower(): name for name in shape}
    return {
        names[key.lower()]: _picked(value, shape[names[key.lower()]])
        for key, value in found.items()
        if key.lower() in names and value is not None
    }


def period(queries: list[Object]) -> timedelta:
    """The longest period of all queries: an expression may use any of them."""
    periods = [each.get("Period") or each.get("MetricStat", {}).get("Period") for each in queries]
    return timedelta(seconds=max((p for p in periods if isinstance(p, int)), default=0))
