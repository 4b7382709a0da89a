"""The dashboards: current, of kinds that Grafana draws, and with queries that find what they seek.

Grafana itself is not here. Every query is asked of a real Prometheus, which has ten minutes of
every data plane (`traffic`); our own series have a test of their own, with a real release, in
services/controller/tests/api/test_telemetry.py.
"""

import math
import pathlib
import re
from collections.abc import Iterator
from typing import Any

import pytest
from charts.tests import traffic
from tools import prometheus
from tools.cluster import settings
from tools.dashboards import __main__ as generator
from tools.dashboards import queries
from tools.prometheus import Prometheus

Object = dict[str, Any]
FILES = sorted(generator.FOLDER.glob("*.json"))
VALUES = {
    "knative": traffic.REVISIONS,
    "skipper": traffic.ROUTES,
    "nginx": {"ingress": "podinfo"},
    "releases": {"namespace": ".*", "target": ".*"},
}
"""What is chosen at the top of a dashboard, besides namespace and target."""
EXPECTED = {
    "Primary: requests": [10],
    "Primary: success": [0.9],
    "Canary: requests": [20],
    "Canary: success": [0.95],
    "Primary: CPU by pod": [0.25],
    "Canary: CPU by pod": [0.25],
    "Primary: memory by pod": [600_000],
    "Canary: memory by pod": [600_000],
    "Primary: network": [100, -200],
    "Canary: network": [100, -200],
    "Primary: received": [1000],
    "Canary: received": [1000],
}
QUANTILES = [75, 95, 99.5]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prometheus]:
    folder = tmp_path_factory.mktemp("prometheus")
    try:
        prometheus.backfill(folder, list(traffic.samples()))
        with prometheus.running(folder) as running:
            yield running
    except settings.ClusterError as error:
        pytest.skip(f"no Prometheus: {error}")


def values(name: str) -> dict[str, str]:
    return {"namespace": "shop", "target": "podinfo", **VALUES.get(name, {})}


def panels(path: pathlib.Path) -> list[Object]:
    return [each for each in queries.load(path)["panels"] if each["type"] != "row"]


def test_the_files_are_current() -> None:
    """`make dashboards` writes them."""
    assert {path.name: path.read_text() for path in FILES} == generator.files()


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_panels_are_of_current_types(path: pathlib.Path) -> None:
    """Upstream's `graph` and `singlestat` are not drawn any more."""
    for panel in panels(path):
        assert panel["type"] in {"timeseries", "stat", "table", "bargauge"}
        assert panel["datasource"]["uid"] == "${datasource}"
        assert panel["targets"]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_panels_lie_side_by_side(path: pathlib.Path) -> None:
    found = queries.load(path)["panels"]
    assert len({panel["id"] for panel in found}) == len(found)
    taken: set[tuple[int, int]] = set()
    for panel in found:
        place = panel["gridPos"]
        cells = {
            (place["x"] + x, place["y"] + y) for x in range(place["w"]) for y in range(place["h"])
        }
        assert not cells & taken, panel["title"]
        assert place["x"] + place["w"] <= 24
        taken |= cells


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_windows_follow_the_scrape_interval(path: pathlib.Path) -> None:
    """A rate over less than two scrapes is empty."""
    for panel in panels(path):
        for target in panel["targets"]:
            plain = re.sub(r'"[^"]*"', "", target["expr"])
            windows = re.findall(r"rate\([^\[]*\[([^\]]+)\]", plain)
            assert set(windows) <= {"$__rate_interval"}, panel["title"]


def test_names_of_upstreams_dashboards() -> None:
    """People have links to them."""
    found = {each["uid"]: each["title"] for each in map(queries.load, FILES)}
    assert len(found) == len(FILES)
    upstreams = {
        "flagger-istio": "Istio Canary",
        "flagger-appmesh": "AppMesh Canary",
        "flagger-envoy": "Envoy Canary",
    }
    assert upstreams.items() <= found.items()


def test_our_series_have_a_dashboard() -> None:
    from flagger_controller.metrics.recorder import Recorder

    exported = set(re.findall(r"# TYPE (flagger_\w+)", Recorder("0", "istio").render().decode()))
    text = (generator.FOLDER / "releases.json").read_text()
    shown = {name for name in exported if re.search(rf"\b{name}(_bucket|_sum)?\b", text)}
    assert exported - shown == {"flagger_canary_mirrored"}


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_prometheus_understands_every_query(server: Prometheus, path: pathlib.Path) -> None:
    asked = list(queries.asked(queries.load(path), values(path.stem)))
    assert asked
    for query in asked:
        server.query(query.expr, traffic.END)


@pytest.mark.parametrize("name", traffic.PLANES)
def test_queries_find_what_a_data_plane_reports(server: Prometheus, name: str) -> None:
    dashboard = queries.load(generator.FOLDER / f"{name}.json")
    found: dict[str, list[float]] = {}
    for query in queries.asked(dashboard, values(name)):
        answer = server.query(query.expr, traffic.END)
        assert answer, f"{query.panel}: {query.expr}"
        assert all(math.isfinite(each.value) for each in answer), query.panel
        found.setdefault(query.panel, []).extend(each.value for each in answer)
    for panel, expected in EXPECTED.items():
        if panel in found:
            assert found[panel] == pytest.approx(expected), panel
    for side in ("Primary", "Canary"):
        durations = found[f"{side}: duration of requests"]
        unit = 1 if durations[0] > 1 else 0.001
        expected = QUANTILES[: len(durations)]
        assert durations == pytest.approx([each * unit for each in expected])
    assert {"Primary: requests", "Primary: success", "Canary: requests"} <= found.keys()


def test_every_data_plane_has_its_traffic() -> None:
    assert {path.stem for path in FILES} == {*traffic.PLANES, "releases"}


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_choices_are_found(server: Prometheus, path: pathlib.Path) -> None:
    for variable in queries.load(path)["templating"]["list"]:
        if variable["type"] == "datasource":
            continue
        match = re.fullmatch(r"label_values\((.*), (\w+)\)", variable["definition"])
        assert match is not None
        series, label = match.groups()
        for name, value in {"namespace": "shop", "target": "podinfo"}.items():
            series = series.replace(f"${name}", value)
        names = {each.labels[label] for each in server.query(series, traffic.END)}
        if pattern := variable["regex"].strip("/"):
            names = {name for name in names if re.search(pattern, name)}
        chosen = {"namespace": "shop", "target": "podinfo", **VALUES.get(path.stem, {})}
        assert names & {chosen[variable["name"]], "shop", "podinfo"}, variable["name"]
