"""InfluxDB's Flux query API, of version 2 and of 1.8 (metrics.md 9.8)."""

import csv
import urllib.parse
from collections.abc import Iterator
from typing import Any, Final

from flagger_controller.metrics import web
from flagger_controller.metrics.base import (
    NoValues,
    Setup,
    SourceError,
    finite,
)

TIMEOUT: Final = 15.0
"""Seconds for a query; Flux is slower than others."""
_DIALECT: Final = {
    "annotations": ["datatype", "group", "default"],
    "delimiter": ",",
    "header": True,
}
_PROBE: Final = 'import "array" array.from(rows: [{_value: 1.0}])'
_NUMBERS: Final = ("double", "long", "unsignedLong")

Table = list[dict[str, str]]
"""Rows of a table, by column; the first one says of which type the columns are."""


class InfluxDB:
    """Templates of type `influxdb`.

    Secret: `token` and `org`; `ca.crt`.
    """

    def __init__(self, setup: Setup) -> None:
        token = org = ""
        if setup.provider.secret_ref is not None:
            token = setup.credential("token", "an authentication token")
            org = setup.credential("org", "an organisation")
        self._url = web.endpoint(
            setup.provider, f"/api/v2/query?{urllib.parse.urlencode({'org': org})}"
        )
        self._web = web.Web(
            setup.context.http,
            headers=(("Authorization", f"Token {token}"), ("Accept", "application/csv")),
            secrets=(token,),
            authority=web.authority(setup.secret),
            timeout=TIMEOUT,
        )
        self._remarks = web.Remarks()

    async def query(self, query: str) -> float:
        """The `_value` of the first row."""
        document = {"query": query, "type": "flux", "dialect": _DIALECT}
        reply = await self._web.post(self._url, document)
        if reply.status != web.OK:
            body = self._web.show(reply.text)
            status = f"{reply.status} {reply.reason}".strip()
            raise SourceError(f"error accessing influxdb query api: {status}: {body}")
        tables = self._decode(reply.text)
        for types, *rows in tables:
            if "error" in types:
                raise SourceError(f"error executing query: {self._web.show(rows[0]['error'])}")
        if not tables:
            raise NoValues
        self._remarks.several(len(tables), "first", query)
        return self._value(*tables[0][:2])

    async def online(self) -> None:
        """Run a query that needs no bucket (sharp edge M32)."""
        await self.query(_PROBE)

    def _decode(self, text: str) -> list[Table]:
        """The tables that have rows."""
        try:
            return [table for table in _tables(text) if table[1:]]
        except (ValueError, csv.Error) as error:
            raise SourceError(f"invalid response: {error}: {self._web.show(text)}") from error

    def _value(self, types: dict[str, str], row: dict[str, str]) -> float:
        text = row.get("_value", "")
        shown = self._web.show(f"invalid response: {row}")
        if types.get("_value") not in _NUMBERS:
            raise SourceError(shown)
        if not text:
            raise NoValues(shown)
        try:
            return finite(float(text))
        except ValueError as error:
            raise SourceError(shown) from error


def _tables(text: str) -> Iterator[Table]:
    """The tables of an annotated CSV document; default values are filled in."""
    annotations: dict[str, list[str]] = {}
    columns: list[str] = []
    table: Table = []
    for line in csv.reader(text.splitlines()):
        if not any(line):
            continue
        if line[0].startswith("#"):
            if columns:
                yield table
                annotations, columns = {}, []
            annotations[line[0]] = line
        elif not columns:
            if not annotations:
                raise ValueError("it is no annotated CSV")
            columns = line
            table = [_row(columns, annotations.get("#datatype", []))]
        else:
            defaults = [*annotations.get("#default", ()), *[""] * len(line)]
            filled = [value or default for value, default in zip(line, defaults, strict=False)]
            table.append(_row(columns, filled))
    if columns:
        yield table


def _row(columns: list[str], values: list[Any]) -> dict[str, str]:
    return {name: value for name, value in zip(columns, values, strict=False) if name}
