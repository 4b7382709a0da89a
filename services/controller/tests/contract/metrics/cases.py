"""What each source that is asked over HTTP sends, and how its provider answers."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

NOW: Final = 1_800_000_000
"""Unix seconds: what the clock says."""


@dataclass(frozen=True)
class Case:
    """One provider. Addresses are those of a loopback server."""

    type: str
    secret: Mapping[str, str]
    secrets: tuple[str, ...]
    """What must never come back in an error."""
    query: str
    method: str
    path: str
    headers: Mapping[str, str]
    parameters: Mapping[str, str] = field(default_factory=dict)
    """Of the query string; complete."""
    body: Any = None
    """The JSON document that is sent."""
    answer: str = ""
    value: float = 0.0
    empty: tuple[str, ...] = ()
    """Answers without values."""
    nonsense: tuple[str, ...] = ()
    """Answers that nobody can read."""
    refusal: str = "error response: "
    """How the error of a bad status begins."""
    probe: str = ""
    """Path of the request that asks whether the provider is there."""
    probed: str = "{}"
    """How it is answered."""
    keys: Mapping[str, str] = field(default_factory=dict)
    """Mandatory keys of the Secret, and what the error calls them."""


def _datadog(*points: Any, **series: Any) -> str:
    return json.dumps({"series": [{"pointlist": list(points), **series}]})


def _influx(*lines: str) -> str:
    annotations = (
        "#datatype,string,long,dateTime:RFC3339,double",
        "#group,false,false,false,false",
        "#default,_result,,,",
        ",result,table,_time,_value",
    )
    return "\r\n".join((*annotations, *lines)) + "\r\n\r\n"


def _prometheus(*values: Any) -> str:
    series = [{"metric": {}, "value": [NOW, value]} for value in values]
    return json.dumps({"status": "success", "data": {"resultType": "vector", "result": series}})


_BROKEN: Final = ("no JSON", "[1]", '"text"')

CASES: Final = (
    Case(
        type="prometheus",
        secret={"username": "ann", "password": "pass-1"},
        secrets=("pass-1", "YW5uOnBhc3MtMQ=="),
        query='sum(rate(x{a="b"}[1m]))',
        method="GET",
        path="/api/v1/query",
        headers={"Authorization": "Basic YW5uOnBhc3MtMQ=="},
        parameters={"query": 'sum(rate(x{a="b"}[1m]))'},
        answer=_prometheus("1", "2.5"),
        value=2.5,
        empty=(_prometheus(), _prometheus("NaN"), _prometheus("+Inf"), "{}"),
        nonsense=(*_BROKEN, '{"data": {"result": [{"value": [1]}]}}'),
        probe="/api/v1/query",
        probed=_prometheus("1"),
        keys={"username": "a username", "password": "a password"},
    ),
    Case(
        type="datadog",
        secret={"datadog_api_key": "key-1\n", "datadog_application_key": "key-2"},
        secrets=("key-1", "key-2"),
        query="avg:requests{*}",
        method="GET",
        path="/api/v1/query",
        headers={"DD-API-KEY": "key-1", "DD-APPLICATION-KEY": "key-2"},
        parameters={"query": "avg:requests{*}", "from": str(NOW - 1000), "to": str(NOW)},
        answer=_datadog([(NOW - 60) * 1000, 1.0], [(NOW - 30) * 1000, 2.5], interval=20),
        value=2.5,
        empty=(
            '{"series": []}',
            "{}",
            '{"series": null}',
            _datadog(),
            _datadog([NOW * 1000]),
            _datadog([NOW * 1000, None]),
        ),
        nonsense=(*_BROKEN, _datadog([1, "many"]), '{"series": [1]}', _datadog(7)),
        probe="/api/v1/validate",
        keys={key: key for key in ("datadog_api_key", "datadog_application_key")},
    ),
    Case(
        type="newrelic",
        secret={"newrelic_account_id": "51312", "newrelic_query_key": "key-1"},
        secrets=("key-1",),
        query="SELECT sum(x) / sum(y) as 'q' FROM Metric\n",
        method="GET",
        path="/v1/accounts/51312/query",
        headers={"X-Query-Key": "key-1"},
        parameters={
            "nrql": "SELECT sum(x) / sum(y) as 'q' FROM Metric\n SINCE 100 seconds ago",
        },
        answer='{"results": [{"result": 2.5}]}',
        value=2.5,
        empty=(
            "{}",
            '{"results": []}',
            '{"results": [{"average": 1}]}',
            '{"results": [{"result": 1}, {"result": 2}]}',
            '{"results": [{"result": null}]}',
            '{"facets": [{"results": []}]}',
        ),
        nonsense=(*_BROKEN, '{"results": 1}', '{"results": [1]}'),
        probe="/v1/accounts/51312/query",
        keys={key: key for key in ("newrelic_account_id", "newrelic_query_key")},
    ),
    Case(
        type="dynatrace",
        secret={"dynatrace_token": "dt0c01.token"},
        secrets=("dt0c01.token",),
        query='builtin:service.errors:filter(eq(service,"x"))',
        method="GET",
        path="/api/v2/metrics/query",
        headers={"Authorization": "Api-Token dt0c01.token"},
        parameters={
            "metricSelector": 'builtin:service.errors:filter(eq(service,"x"))',
            "resolution": "Inf",
            "from": str((NOW - 1000) * 1000),
            "to": str(NOW * 1000),
        },
        answer='{"result": [{"data": [{"values": [1.5]}, {"values": [2.5, 9]}]}]}',
        value=2.5,
        empty=(
            "{}",
            '{"result": []}',
            '{"result": [{"data": []}]}',
            '{"result": [{"data": [{"values": []}]}]}',
            '{"result": [{"data": [{"values": [null]}]}]}',
        ),
        nonsense=(*_BROKEN, '{"result": [1]}', '{"result": [{"data": [{"values": ["x"]}]}]}'),
        probe="/api/v2/metrics",
        keys={"dynatrace_token": "dynatrace_token"},
    ),
    Case(
        type="graphite",
        secret={"username": "ann", "password": "pass-1"},
        secrets=("pass-1", "YW5uOnBhc3MtMQ=="),
        query="target=sumSeries(app.http.*.*.count)&from=-2min",
        method="GET",
        path="/render",
        headers={"Authorization": "Basic YW5uOnBhc3MtMQ=="},
        parameters={
            "format": "json",
            "from": "-2min",
            "target": "sumSeries(app.http.*.*.count)",
        },
        answer=json.dumps(
            [
                {"target": "a", "datapoints": [[10, 1], [75, 2], [25, 3], [100, 4]]},
                {"target": "b", "datapoints": [[1, 1], ["2.5", "2"], [None, None]]},
                {"target": "c", "datapoints": [[None, 1]]},
            ]
        ),
        value=2.5,
        empty=("[]", '[{"datapoints": []}]', '[{"datapoints": [[null, 1]]}]'),
        nonsense=(
            "no JSON",
            "[",
            "[1]",
            '[{"datapoints": [[1]]}]',
            '[{"datapoints": [["x", 1]]}]',
            '[{"datapoints": [[1, "x"]]}]',
            '[{"datapoints": [[true, 1]]}]',
        ),
        probe="/render",
        probed="[]",
        keys={"username": "a username", "password": "a password"},
    ),
    Case(
        type="influxdb",
        secret={"token": "token-1", "org": "a team"},
        secrets=("token-1",),
        query='from(bucket: "b") |> range(start: -1m)',
        method="POST",
        path="/api/v2/query",
        headers={"Authorization": "Token token-1", "Content-Type": "application/json"},
        parameters={"org": "a team"},
        body={
            "query": 'from(bucket: "b") |> range(start: -1m)',
            "type": "flux",
            "dialect": {
                "annotations": ["datatype", "group", "default"],
                "delimiter": ",",
                "header": True,
            },
        },
        answer=_influx(",,0,2026-11-26T18:00:00Z,2.5", ",,0,2026-11-26T18:00:01Z,7"),
        value=2.5,
        empty=("", "\r\n", _influx(), _influx(",,0,2026-11-26T18:00:00Z,")),
        nonsense=(
            _influx(",,0,2026-11-26T18:00:00Z,many"),
            _influx(",,0,2026-11-26T18:00:00Z,1").replace("double", "string"),
            _influx(",,0,2026-11-26T18:00:00Z,true").replace("double", "boolean"),
            "#datatype,string,string\r\n#group,true,true\r\n#default,,\r\n"
            ",error,reference\r\n,query failed,897\r\n",
            "<html>",
        ),
        refusal="error accessing influxdb query api: ",
        probe="/api/v2/query",
        probed=_influx(",,0,2026-11-26T18:00:00Z,1"),
        keys={"token": "an authentication token", "org": "an organisation"},
    ),
    Case(
        type="externalmetrics",
        secret={"token": "token-1\n"},
        secrets=("token-1",),
        query="shop/datadogmetric@shop:errors?labelSelector=app%3Dweb\n",
        method="GET",
        path="/apis/external.metrics.k8s.io/v1beta1/namespaces/shop/datadogmetric@shop:errors",
        headers={"Authorization": "Bearer token-1"},
        parameters={"labelSelector": "app=web", "timeout": "5s"},
        answer='{"items": [{"value": "2500m"}, {"value": "7"}]}',
        value=2.5,
        empty=('{"items": []}', "{}"),
        nonsense=("no JSON", "[1]", '{"items": [{}]}', '{"items": [{"value": "many"}]}'),
        refusal="error querying external metrics API: ",
        probe="/apis/external.metrics.k8s.io/v1beta1",
    ),
)
