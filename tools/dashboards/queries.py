"""What panels ask, with Grafana's variables replaced: for checks against a real Prometheus."""

import json
import pathlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

GRAFANA: Final = {"__rate_interval": "1m", "__range": "1h", "__interval": "15s"}
"""What Grafana itself puts in, for a scrape interval of 15 seconds."""
_VARIABLE: Final = re.compile(r"\$\{(\w+)\}|\$(\w+)")


@dataclass(frozen=True)
class Asked:
    """One query of one panel."""

    panel: str
    expr: str


def load(path: pathlib.Path) -> dict[str, Any]:
    """A dashboard as Grafana reads it."""
    found: dict[str, Any] = json.loads(path.read_text())
    return found


def asked(dashboard: Mapping[str, Any], values: Mapping[str, str]) -> Iterator[Asked]:
    """Every query.

    Raises:
        KeyError: a query uses a variable that has no value.
    """
    known = {**GRAFANA, **values}
    for panel in dashboard["panels"]:
        for target in panel.get("targets", ()):
            expr = _VARIABLE.sub(lambda found: known[found[1] or found[2]], target["expr"])
            yield Asked(panel["title"], expr)
