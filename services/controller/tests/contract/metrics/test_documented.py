"""The examples of docs/metrics.md: every source has one, and it works as it is written."""

import pathlib
import re
from typing import Any

import pytest
import yaml

from flagger_controller.api.canary import Canary
from flagger_controller.api.metrictemplate import METRIC_SOURCES, MetricTemplate
from flagger_controller.metrics import template, variables
from flagger_controller.metrics.base import Context, Setup
from flagger_controller.metrics.templates import load

PAGE = pathlib.Path(__file__).parents[5] / "docs/metrics.md"
EXAMPLES = [
    list(yaml.safe_load_all(text))
    for text in re.findall(r"^```yaml\n(apiVersion.*?)^```", PAGE.read_text(), re.M | re.S)
]
METRIC = {"name": "m", "templateRef": {"name": "t"}, "templateVariables": {"service": "ABC"}}


def kind_of(example: list[dict[str, Any]]) -> str:
    return str(example[-1]["spec"]["provider"]["type"])


def test_every_source_has_an_example_and_a_row() -> None:
    assert sorted(map(kind_of, EXAMPLES)) == sorted(METRIC_SOURCES)
    rows = re.findall(r"^\| \[`(\w+)`\]", PAGE.read_text(), re.MULTILINE)
    assert sorted(rows) == sorted(METRIC_SOURCES)


@pytest.mark.parametrize("example", EXAMPLES, ids=kind_of)
def test_examples_work(context: Context, example: list[dict[str, Any]]) -> None:
    *secrets, body = example
    found = MetricTemplate.model_validate(body)
    provider = found.spec.provider
    secret: dict[str, str] = secrets[0]["stringData"] if secrets else {}
    assert (provider.secret_ref is not None) is bool(secrets)
    if provider.secret_ref is not None:
        assert provider.secret_ref.name == secrets[0]["metadata"]["name"]
    load(METRIC_SOURCES[provider.type])(Setup(provider, secret, "1m", context))
    text = filled(example)
    assert "{{" not in text
    assert "podinfo" in text or "ABC" in text


def filled(example: list[dict[str, Any]]) -> str:
    """The query of an example for a Canary podinfo."""
    found = MetricTemplate.model_validate(example[-1])
    canary = Canary.from_api(
        {
            "metadata": {"name": "podinfo", "namespace": "test"},
            "spec": {
                "targetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "podinfo"},
                "service": {"port": 80},
                "analysis": {"metrics": [METRIC]},
            },
        }
    )
    names = variables.of(canary, canary.analysis.metrics[0])
    return template.render(found.spec.query, names)
