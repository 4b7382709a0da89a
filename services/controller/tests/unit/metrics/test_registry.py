"""Every source in the registry can be loaded, keeps the contract, and costs nothing unused."""

import inspect
import subprocess
import sys

import pytest

from flagger_controller.api.metrictemplate import METRIC_SOURCES
from flagger_controller.metrics.templates import load


@pytest.mark.parametrize("kind", sorted(METRIC_SOURCES))
def test_sources_load(kind: str) -> None:
    source = load(METRIC_SOURCES[kind])
    assert list(inspect.signature(source).parameters) == ["setup"]
    for method in ("query", "online"):
        assert inspect.iscoroutinefunction(getattr(source, method))


def test_sdks_are_imported_by_those_who_use_them() -> None:
    """Evaluating with every source loaded: no SDK of a cloud is in memory.

    Of the rest of the process kopf would import what the development environment has.
    """
    program = """
import sys
import flagger_controller.metrics.evaluate
from flagger_controller.api.metrictemplate import METRIC_SOURCES
from flagger_controller.metrics.templates import load
for place in METRIC_SOURCES.values():
    load(place)
found = {name.partition(".")[0] for name in sys.modules}
print(sorted(found & {"boto3", "botocore", "cryptography", "google", "requests", "urllib3"}))
"""
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


@pytest.mark.parametrize(
    ("kind", "extra"), [("cloudwatch", "boto3"), ("stackdriver", "google.auth")]
)
def test_what_a_small_build_leaves_out_is_told(kind: str, extra: str) -> None:
    program = f"""
import sys
from types import SimpleNamespace
from flagger_controller.api.metrictemplate import MetricTemplateProvider
from flagger_controller.errors import ConfigError
from flagger_controller.api.metrictemplate import METRIC_SOURCES
from flagger_controller.metrics.base import Setup
from flagger_controller.metrics.templates import load

class Absent:
    def find_spec(self, name, path=None, target=None):
        if name == {extra!r}:
            raise ModuleNotFoundError(name)

sys.meta_path.insert(0, Absent())
provider = MetricTemplateProvider(type={kind!r}, region="x")
try:
    load(METRIC_SOURCES[{kind!r}])(Setup(provider, {{}}, "1m", SimpleNamespace(http=None)))
except ConfigError as error:
    print(error)
"""
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert f"install the extra {kind}" in done.stdout
