"""Every kind of channel can be asked for, and is documented."""

import pathlib

import pytest

from flagger_controller.api import crds
from flagger_controller.api.alertprovider import CHANNELS

from .messages import payload

ROOT = pathlib.Path(__file__).parents[5]


def test_the_definition_knows_all_of_them_and_no_others() -> None:
    (kind,) = (each for each in crds.KINDS if each.name == "AlertProvider")
    spec = crds.open_api(kind)["properties"]["spec"]
    assert spec["properties"]["type"]["enum"] == list(CHANNELS)


@pytest.mark.parametrize("kind", CHANNELS)
def test_each_writes_the_text_and_is_documented(kind: str) -> None:
    assert "It works." in str(payload(kind))
    page = (ROOT / "docs/alerting.md").read_text()
    assert f"\n### {kind}" in page
    assert f"type: {kind}\n" in page, "an example"
