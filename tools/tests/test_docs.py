"""The documentation says what the code does: generated pages, links, commands, names, examples."""

import fnmatch
import pathlib
import re
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime

import click
import jsonschema
import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from flagger_controller.alerts import compose
from flagger_controller.api import crds, validation
from flagger_controller.api.alertprovider import CHANNELS
from flagger_controller.api.canary import Canary
from flagger_controller.api.status import Run
from flagger_controller.metrics.recorder import Recorder
from flagger_controller.operator import cli
from flagger_controller.rollout.decision import Alert, Cause, Outcome, Severity

ROOT = pathlib.Path(__file__).parents[2]
PAGES = (
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    ROOT / "services/controller/README.md",
    *sorted((ROOT / "docs").rglob("*.md")),
)
COMPATIBILITY = ROOT / "docs/compatibility.md"
OWN = [page for page in PAGES if page != COMPATIBILITY]
"""What names tests by its own rules: see `test_every_difference_has_its_test`."""
GOLDENS = ROOT / "services/controller/tests/contract/routing/goldens"
RECORDINGS = ROOT / "services/controller/tests/api/replay/recordings"
FENCE = re.compile(r"^```(\w*)\n(.*?)^```", re.MULTILINE | re.DOTALL)


def name(page: pathlib.Path) -> str:
    return str(page.relative_to(ROOT))


def blocks(page: pathlib.Path, language: str) -> list[str]:
    return [text for kind, text in FENCE.findall(page.read_text()) if kind == language]


def anchors(page: pathlib.Path) -> set[str]:
    """What GitHub makes of the headings of a page."""
    headings = re.findall(r"^#+ (.+)$", FENCE.sub("", page.read_text()), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in headings}


def links(page: pathlib.Path) -> Iterator[tuple[str, str]]:
    for target in re.findall(r"\]\(([^)\s]+)\)", FENCE.sub("", page.read_text())):
        if "://" not in target:
            place, _, anchor = target.partition("#")
            yield place, anchor


def test_generated_pages_are_current() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tools.docs", "--check"], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_links_lead_somewhere(page: pathlib.Path) -> None:
    for place, anchor in links(page):
        target = (page.parent / place).resolve() if place else page
        assert target.exists(), place
        if anchor:
            assert anchor in anchors(target), f"{place}#{anchor}"


@pytest.mark.parametrize("page", OWN, ids=name)
def test_what_is_named_exists(page: pathlib.Path) -> None:
    """Targets of make, folders and files of this repository, modules of tests."""
    text = page.read_text()
    made = set(re.findall(r"^([a-z0-9-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    for line in re.findall(r"(?:`|^)make ((?: ?[a-z0-9-]+)+)", text, re.MULTILINE):
        assert set(line.split()) <= made, line
    for path in re.findall(r"(?<![\w./<])((?:docs|tools|charts|e2e|examples|libs)/[\w./-]+)", text):
        assert (ROOT / path.rstrip(".")).exists(), path
    known = {path.name for path in ROOT.rglob("test_*.py") if ".venv" not in path.parts}
    assert set(re.findall(r"\btest_\w+\.py\b", text)) <= known


def named_below(folder: pathlib.Path) -> set[str]:
    """Modules and functions, with those of what all share."""
    places = (folder, ROOT / "libs/common/tests", ROOT / "charts/tests")
    modules = [module for place in places for module in place.rglob("test_*.py")]
    functions = (
        re.findall(r"^ *(?:async )?def (test_\w+)", m.read_text(), re.MULTILINE) for m in modules
    )
    return {module.name for module in modules}.union(*functions)


def differences() -> Iterator[tuple[str, str]]:
    """Where the tests of each row of the page are, and what its last column names."""
    for section in COMPATIBILITY.read_text().split("\n## ")[1:]:
        title, _, text = section.partition("\n")
        place = re.search(r"`((?:services/\w+|charts)/tests)`", title)
        for cell in re.findall(r"^\| .* \| (?!test )([^|]*) \|$", text, re.MULTILINE):
            yield place[1] if place else "services/controller/tests", cell


def test_every_difference_has_its_test() -> None:
    known = {place: named_below(ROOT / place) for place in {place for place, _ in differences()}}
    recordings = {path.stem for path in (*RECORDINGS.glob("*.json"), *GOLDENS.glob("*/*.yaml"))}
    for place, cell in differences():
        names = re.findall(r"`([^`]+)`", cell)
        assert names, f"{place}: a row without a test"
        for each in names:
            pool = known[place] if each.startswith("test_") else recordings
            assert fnmatch.filter(pool, each), f"{place}: {each}"


@pytest.mark.parametrize("page", OWN, ids=name)
def test_example_canaries_are_good_ones(page: pathlib.Path) -> None:
    for text in blocks(page, "yaml"):
        for body in yaml.safe_load_all(text):
            if isinstance(body, dict) and body.get("kind") == "Canary":
                canary = Canary.from_api(body)
                provider = canary.spec.provider
                assert validation.problems(canary, provider) == []
                assert validation.warnings(canary, provider) == []


def test_example_alert_providers_are_good_ones() -> None:
    kinds = {kind.name: crds.open_api(kind) for kind in crds.KINDS}
    examples = [
        body
        for text in blocks(ROOT / "docs/alerting.md", "yaml")
        for body in yaml.safe_load_all(text)
        if body["kind"] == "AlertProvider"
    ]
    assert len(examples) >= len(CHANNELS)
    for body in examples:
        jsonschema.validate(body, kinds["AlertProvider"])


def test_every_variable_of_a_message_is_explained() -> None:
    text = (ROOT / "docs/alerting.md").read_text().partition("| variable |")[2]
    rows = re.findall(r"^\| ([^|]*) \|", text.partition("\n\n")[0], re.MULTILINE)
    explained = {name for row in rows for name in re.findall(r"`(\w+)`", row)}
    target = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "x"}
    canary = Canary.from_api({"metadata": {"name": "x"}, "spec": {"targetRef": target}})
    message = compose.message(canary, Alert("x", Severity.INFO), "c", datetime.now(UTC))
    assert explained == compose.variables(message).keys()


def test_every_flag_is_in_the_table() -> None:
    options = [each for each in cli.command(lambda _: 0).params if isinstance(each, click.Option)]
    flags = {each.opts[0] for each in options if not each.hidden} - {"-h"}
    table = (ROOT / "docs/operations.md").read_text()
    rows = re.findall(r"^\| `(-[\w-]+)` \| (?:`(\w+)`)?", table, re.MULTILINE)
    assert {flag for flag, _ in rows} == flags
    assert {variable for _, variable in rows if variable} == {*cli._ENVIRONMENT, "KUBECONFIG"}


def test_every_sharp_edge_of_the_engine_has_a_row_with_a_test() -> None:
    text = COMPATIBILITY.read_text()
    engine = text.partition("## Rollout engine")[2].partition("\n## ")[0]
    cells = re.findall(r"\| ([^|]+) \| [^|\n]*`[^|\n]*\|$", engine, re.MULTILINE)
    covered = {found for each in cells for found in re.findall(r"S\d+|fault [A-Z]", each)}
    edges = {f"S{number}" for number in range(1, 35)}
    assert edges | {f"fault {letter}" for letter in "ABCDEKR"} <= covered


def test_every_sharp_edge_of_alerts_has_a_row() -> None:
    text = (ROOT / "docs/compatibility.md").read_text()
    alerts = text.partition("## Alerts")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| .* \| (A\d+) \| .*test", alerts, re.MULTILINE)
    rows += re.findall(r"^\| .* \| (A\d+) \| replay", alerts, re.MULTILINE)
    assert set(rows) == {f"A{number}" for number in range(1, 26)}


def exported() -> dict[str, tuple[str, set[str]]]:
    """Type and labels of every series, with one of each."""
    spec = {
        "targetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"},
        "service": {"port": 80},
        "analysis": {},
    }
    run = {"tickedAt": "2026-01-01T12:00:00.000Z", "startedAt": "2026-01-01T12:00:00.000Z"}
    body = {
        "metadata": {"name": "shop", "namespace": "test"},
        "spec": spec,
        "status": {"phase": "Failed", "run": run},
    }
    canary, recorder = Canary.from_api(body), Recorder("0", "istio")
    recorder.lead()
    recorder.set_total("test", 1)
    recorder.show(canary)
    recorder.set_metric(canary, "errors", 1, builtin=False)
    recorder.observe_duration(canary, 1)
    recorder.count_outcome(canary, Outcome(cause=Cause.CHECKS))
    recorder.progress.count_check(canary, "errors", "failed")
    recorder.count_hook("rollout", ok=True)
    recorder.count_alert("slack", ok=True)
    recorder.process.ended(1, "timeout")
    recorder.process.checked("query", 1)
    recorder.process.asked("get", "services", "200")
    recorder.process.watch_queue("alerts", lambda: 0)
    recorder.process.measure()
    found: dict[str, tuple[str, set[str]]] = {}
    for family in text_string_to_metric_families(recorder.render().decode()):
        if family.name.startswith("flagger_"):
            name = f"{family.name}_total" if family.type == "counter" else family.name
            labels = {label for sample in family.samples for label in sample.labels} - {"le"}
            found[name] = (family.type, labels)
    return found


def test_series_in_the_tables_are_those_that_are_exported() -> None:
    text = (ROOT / "docs/telemetry.md").read_text()
    rows = re.findall(r"^\| `(flagger_\w+)` \| (\w+) \| ([^|]*)\|", text, re.MULTILINE)
    listed = {name: (kind, set(re.findall(r"`(\w+)`", cell))) for name, kind, cell in rows}
    assert len(listed) == len(rows)
    assert listed == exported()


def test_every_sharp_edge_of_telemetry_has_a_row() -> None:
    cells = " ".join(re.findall(r"telemetry ([T\d, ]+) \|", COMPATIBILITY.read_text()))
    assert {f"T{number}" for number in range(1, 22)} - set(re.findall(r"T\d+", cells)) == {
        "T4",  # beside S23, whose number comes first
        "T20",  # S29 of the engine
    }


def test_every_field_of_a_run_is_explained() -> None:
    text = (ROOT / "docs/architecture.md").read_text().partition("## `status.run`")[2]
    text, _, _ = text.partition("\n## ")
    fields = re.findall(r"^\| `(\w+)` \|", text, re.MULTILINE)
    assert fields == [field.alias or key for key, field in Run.model_fields.items()]


def locked() -> dict[str, str]:
    text = (ROOT / "locks/all.txt").read_text()
    return dict(re.findall(r"^([\w.-]+)==([^\s;]+)", text, re.MULTILINE))


def test_versions_of_dependencies_are_those_of_the_lock() -> None:
    text = (ROOT / "docs/dependencies.md").read_text().partition("## The test cluster")[0]
    rows = re.findall(r"^\| ([\w., -]+?) \| ([\d., post]+?) \|", text, re.MULTILINE)
    found = {
        package.strip().lower(): version.strip()
        for packages, versions in rows
        for package, version in zip(packages.split(","), versions.split(","), strict=False)
        if "." in version
    }
    assert len(found) > 30
    assert found.items() <= locked().items()


def test_every_dependency_is_explained() -> None:
    text = (ROOT / "docs/dependencies.md").read_text().lower()
    projects = [ROOT / "pyproject.toml", *ROOT.glob("services/*/pyproject.toml")]
    projects += [ROOT / "libs/common/pyproject.toml"]
    for project in projects:
        for package in re.findall(
            r'^  "([\w-]+)(?:[>=\[].*)?",$', project.read_text(), re.MULTILINE
        ):
            assert package.startswith("flagger-") or package.lower() in text, package


def test_commands_of_helm_render() -> None:
    """Each `helm upgrade` of the documentation, with its values checked against the schema."""
    from tools.cluster import gobuild, settings

    try:
        helm = gobuild.binary("helm")
    except settings.ClusterError as error:
        pytest.skip(f"no helm: {error}")
    lines = [
        line
        for page in OWN
        for text in blocks(page, "sh")
        for line in text.replace("\\\n", " ").splitlines()
        if line.startswith("helm upgrade")
    ]
    assert len(lines) >= 8
    for line in lines:
        command = re.sub(r"--create-namespace|--reuse-values|upgrade (-i )?", "", line)
        command = command.replace("helm ", f"{helm} template ", 1)
        done = subprocess.run(["bash", "-c", command], cwd=ROOT, capture_output=True, text=True)
        assert done.returncode == 0, f"{line}\n{done.stderr}"
        assert list(yaml.safe_load_all(done.stdout)), line
