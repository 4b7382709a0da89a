"""Charts as data: rendered by Helm, loaded, asserted on as dictionaries."""

import os
import pathlib
import shutil
import subprocess
import sys
from collections.abc import Callable
from typing import Any, NamedTuple

import pytest
import yaml

Object = dict[str, Any]
CHARTS = pathlib.Path(__file__).parent.parent
ROOT = CHARTS.parent


class Result(NamedTuple):
    """What `helm template` said."""

    code: int
    objects: list[Object]
    errors: str


def _find_helm() -> str:
    """Return Helm: the one that is named, the one on PATH, or the project's own build."""
    if found := os.environ.get("HELM") or shutil.which("helm"):
        return found
    done = subprocess.run(
        [sys.executable, "-c", "from tools.cluster import gobuild; print(gobuild.binary('helm'))"],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
        check=False,
    )
    if done.returncode:
        pytest.skip("no helm: set HELM, or run `make cluster` once, which builds it")
    return done.stdout.split()[-1]


@pytest.fixture(scope="session")
def helm() -> str:
    """Path of the Helm binary."""
    return _find_helm()


@pytest.fixture(scope="session")
def template(helm: str) -> Callable[..., Result]:
    """Run `helm template`, once for each set of arguments."""
    known: dict[tuple[str, ...], Result] = {}

    def run(chart: str, *arguments: str, release: str = "", namespace: str = "test") -> Result:
        release = release or ("flagger" if chart == "flagger" else f"flagger-{chart}")
        command: tuple[str, ...] = (helm, "template", release, str(CHARTS / chart))
        command = (*command, "--namespace", namespace, "--kube-version", "1.33.0", *arguments)
        if command not in known:
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            objects = [found for found in yaml.safe_load_all(done.stdout) if found]
            known[command] = Result(done.returncode, objects, done.stderr)
        return known[command]

    return run


@pytest.fixture(scope="session")
def render(template: Callable[..., Result]) -> Callable[..., list[Object]]:
    """Return the objects of a chart; every argument is a `--set`."""

    def run(chart: str, *settings: str, **options: str) -> list[Object]:
        arguments = [part for setting in settings for part in ("--set", setting)]
        result = template(chart, *arguments, **options)
        assert result.code == 0, result.errors
        return result.objects

    return run


@pytest.fixture(scope="session")
def root() -> pathlib.Path:
    """The repository."""
    return ROOT
