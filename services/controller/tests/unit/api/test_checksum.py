"""The checksum of webhook payloads (webhooks.md 10.1)."""

import pytest

from flagger_controller.api.checksum import checksum


@pytest.mark.parametrize(
    ("configs", "spec", "expected"),
    [
        (None, "", "758df7c9fc"),
        (None, "4cb74184589", "7c9d467496"),
        ({}, "4cb74184589", "56966965f5"),
        ({"test-config-map": "484637c76acaa7c6"}, "4cb74184589", "569bdb7cb9"),
        ({"test-config-map": "484637c76acaa7c6"}, "5f56684589", "85d557f47b"),
        ({"secret/b": "x", "configmap/a": "y"}, "abc", "5694d467f4"),
    ],
)
def test_vectors(configs: dict[str, str] | None, spec: str, expected: str) -> None:
    assert checksum(configs, spec) == expected
