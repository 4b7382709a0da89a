"""What a Canary means by what it says: the derived values (canary-api.md section 4)."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from flagger_controller.api.canary import LONGEST, Canary

AGES = "9" * 400
NOW = datetime(2026, 1, 1, tzinfo=UTC)


def canary(deadline: int | None = None, **analysis: Any) -> Canary:
    target = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "cart"}
    spec = {"targetRef": target, "analysis": analysis, "progressDeadlineSeconds": deadline}
    return Canary.from_api({"metadata": {"name": "cart", "namespace": "shop"}, "spec": spec})


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        *(("", 60.0), ("soon", 60.0), ("90s", 90.0), ("1h", 3600.0)),
        *((f"{AGES}h", LONGEST), ("99999999h", LONGEST), ("-5s", 0.0), (f"-{AGES}s", 0.0)),
    ],
)
def test_an_interval_can_be_computed_with(text: str, seconds: float) -> None:
    found = canary(interval=text).interval
    assert found == seconds
    assert NOW + timedelta(seconds=found) >= NOW


@pytest.mark.parametrize(
    ("given", "seconds"),
    [(None, 600), (0, 600), (60, 60), (-1, -1), (-(2**63), -1), (2**63 - 1, LONGEST)],
)
def test_a_deadline_can_be_computed_with(given: int | None, seconds: float) -> None:
    found = canary(given).deadline
    assert found == seconds
    assert NOW + timedelta(seconds=found) >= NOW - timedelta(seconds=1)
