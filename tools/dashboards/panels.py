"""Grafana's JSON for the few kinds of panels that we use; schema of Grafana 11."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

Object = dict[str, Any]

COLUMNS: Final = 24
HEIGHTS: Final = {"stat": 4, "timeseries": 8, "table": 8, "bargauge": 8}
"""Kinds of panels, and grid units."""
SOURCE: Final = {"type": "prometheus", "uid": "${datasource}"}
SCHEMA: Final = 39


@dataclass(frozen=True)
class Query:
    """An expression, and what its series are called."""

    expr: str
    legend: str = ""


@dataclass(frozen=True)
class Panel:
    """A picture of some queries."""

    title: str
    queries: tuple[Query, ...]
    unit: str = "short"
    """As Grafana calls it: `percentunit`, `reqps`, `s`, `ms`, ..."""
    kind: str = "timeseries"
    width: int = 12
    text: str = ""
    """What it means, for those who do not know."""
    words: bool = False
    """A stat shows the name of its series instead of the value."""


@dataclass(frozen=True)
class Row:
    """A heading with panels below, from left to right."""

    title: str
    panels: tuple[Panel, ...]


@dataclass(frozen=True)
class Variable:
    """A choice at the top of a dashboard; all names of a label."""

    name: str
    label: str
    values: str
    """`label_values(SERIES, LABEL)`."""
    regex: str = ""
    """Which of them, as `/REGEX/`; empty: all."""
    many: bool = False
    """Several may be chosen, and all are in the beginning."""


@dataclass(frozen=True)
class Dashboard:
    """A page."""

    uid: str
    title: str
    text: str
    variables: tuple[Variable, ...]
    rows: tuple[Row, ...]

    def to_json(self) -> Object:
        """The document that Grafana reads."""
        return {
            "uid": self.uid,
            "title": self.title,
            "description": self.text,
            "tags": ["flagger"],
            "schemaVersion": SCHEMA,
            "editable": True,
            "graphTooltip": 1,
            "refresh": "10s",
            "time": {"from": "now-30m", "to": "now"},
            "templating": {"list": [_source(), *map(_variable, self.variables)]},
            "panels": list(_panels(self.rows)),
        }


def _source() -> Object:
    return {
        "name": "datasource",
        "label": "Data source",
        "type": "datasource",
        "query": "prometheus",
        "current": {},
    }


def _variable(variable: Variable) -> Object:
    several: Object = {"multi": True, "includeAll": True, "allValue": ".*"}
    several["current"] = {"text": ["All"], "value": ["$__all"]}
    return {
        "name": variable.name,
        "label": variable.label,
        "type": "query",
        "datasource": SOURCE,
        "query": {"query": variable.values, "refId": "Values"},
        "definition": variable.values,
        "regex": variable.regex,
        "refresh": 2,
        "sort": 1,
        **(several if variable.many else {"multi": False, "includeAll": False, "current": {}}),
    }


def _panels(rows: tuple[Row, ...]) -> Iterator[Object]:
    """Each row below the one before; panels flow to the next line where a line is full."""
    number, top = 0, 0
    for row in rows:
        number += 1
        place = {"x": 0, "y": top, "w": COLUMNS, "h": 1}
        yield {"id": number, "type": "row", "title": row.title, "gridPos": place, "panels": []}
        top, left, height = top + 1, 0, 0
        for panel in row.panels:
            if left + panel.width > COLUMNS:
                top, left, height = top + height, 0, 0
            number += 1
            size = HEIGHTS[panel.kind]
            place = {"x": left, "y": top, "w": panel.width, "h": size}
            yield {"id": number, "gridPos": place, **_panel(panel)}
            left, height = left + panel.width, max(height, size)
        top += height


def _panel(panel: Panel) -> Object:
    found: Object = {
        "type": panel.kind,
        "title": panel.title,
        "datasource": SOURCE,
        "targets": [_target(panel, index) for index in range(len(panel.queries))],
        "fieldConfig": {"defaults": {"unit": panel.unit}, "overrides": []},
        "options": _options(panel),
    }
    if panel.text:
        found["description"] = panel.text
    if panel.kind == "table":
        hidden = {"excludeByName": {"Time": True, "Value": True, "__name__": True}}
        found["transformations"] = [{"id": "organize", "options": hidden}]
    return found


def _target(panel: Panel, index: int) -> Object:
    query = panel.queries[index]
    target: Object = {
        "refId": chr(ord("A") + index),
        "datasource": SOURCE,
        "expr": query.expr,
        "legendFormat": query.legend or "__auto",
    }
    if panel.kind == "timeseries":
        return {**target, "range": True}
    shape = {"format": "table"} if panel.kind == "table" else {}
    return {**target, "instant": True, **shape}


def _options(panel: Panel) -> Object:
    latest = {"calcs": ["lastNotNull"]}
    match panel.kind:
        case "timeseries":
            legend = {"showLegend": True, "displayMode": "list", "placement": "bottom"}
            return {"legend": legend, "tooltip": {"mode": "multi", "sort": "desc"}}
        case "table":
            return {"showHeader": True}
        case "bargauge":
            return {"reduceOptions": latest, "orientation": "horizontal"}
        case _:
            text = "name" if panel.words else "auto"
            plain = {"graphMode": "none", "colorMode": "value", "textMode": text}
            return {"reduceOptions": latest, **plain}
