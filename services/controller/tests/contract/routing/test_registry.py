"""The registry of routers, and the examples in their documentation."""

import re
from pathlib import Path

import pytest
import yaml

from flagger_controller.api.canary import Canary
from flagger_controller.errors import ConfigError
from flagger_controller.routing import ROUTERS, router_for
from flagger_controller.routing.base import Capabilities, RouterSettings

from .cases import FIRST, existing, router_of, written

DOCS = next(
    parent / "docs" / "providers"
    for parent in Path(__file__).parents
    if (parent / "services").is_dir()
)


@pytest.mark.parametrize("provider", sorted(ROUTERS))
def test_every_entry_of_the_registry_is_a_router(provider: str) -> None:
    router = router_for(provider, RouterSettings())
    assert isinstance(router.capabilities, Capabilities)
    for method in ("refs", "referenced", "desired", "read", "settled", "reverted"):
        assert callable(getattr(router, method))
    assert (DOCS / f"{provider.partition(':')[0]}.md").is_file()


@pytest.mark.parametrize(
    "provider",
    ["", "Istio", "gatewayapi:v2", "appmesh:v1beta1", "none", "istio:v1", "smi", "smi:v1alpha4"],
)
def test_unknown_providers_are_an_error(provider: str) -> None:
    with pytest.raises(ConfigError, match=r"use one of .*istio, knative, kubernetes, kuma"):
        router_for(provider, RouterSettings())


@pytest.mark.parametrize(
    "provider", ["smi:v1alpha1:istio", "smi:v1alpha3:linkerd", "gloo:v1", "appmesh:v1beta2:x"]
)
def test_some_names_are_followed_by_the_mesh(provider: str) -> None:
    name, _, _ = provider.rpartition(":")
    assert type(router_of(provider)) is type(router_of(name))


@pytest.mark.parametrize("provider", ["supergloo", "supergloo:istio.gloo-system"])
def test_a_provider_that_is_gone_says_what_to_use(provider: str) -> None:
    with pytest.raises(ConfigError, match=rf'"{provider}" does not exist any more: use .* gloo'):
        router_of(provider)


@pytest.mark.parametrize("page", sorted({provider.partition(":")[0] for provider in ROUTERS}))
def test_examples_in_the_documentation_work(page: str) -> None:
    blocks = re.findall(r"```yaml\n(.*?)```", (DOCS / f"{page}.md").read_text(), re.DOTALL)
    bodies = [body for block in blocks for body in yaml.safe_load_all(block)]
    canaries = [Canary.from_api(body) for body in bodies if body["kind"] == "Canary"]
    assert canaries
    for canary in canaries:
        router = router_of(canary.spec.provider)
        assert canary.spec.provider.startswith(page)
        named = {(ref.resource.kind, ref.name): ref for ref in router.refs(canary)}
        keys = [(body["kind"], body["metadata"]["name"]) for body in bodies]
        users = {named[key]: body for key, body in zip(keys, bodies, strict=True) if key in named}
        live = written(router, canary, FIRST, existing(canary) | users)
        assert router.read(canary, live) == FIRST
