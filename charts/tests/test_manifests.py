"""The example manifests: valid, and true to the demo application and its image."""

import pathlib
import warnings
from typing import Any

import pytest
import yaml

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import kubernetes_validate

Object = dict[str, Any]
FOLDER = pathlib.Path(__file__).parent.parent.parent / "examples/podinfo/manifests"
FILES = sorted(FOLDER.rglob("*.yaml"))


def load(path: pathlib.Path) -> list[Object]:
    return [found for found in yaml.safe_load_all(path.read_text()) if found]


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(FOLDER)))
def test_objects_are_valid(path: pathlib.Path) -> None:
    for found in load(path):
        assert found["metadata"]["namespace"] == "test"
        if found["apiVersion"] in {"v1", "apps/v1", "autoscaling/v2"}:
            kubernetes_validate.validate(found, "1.33", strict=True)


def test_deployment_is_restricted_and_never_short_of_pods() -> None:
    from flagger_common import version

    (deployment,) = load(FOLDER / "deployment.yaml")
    pod = deployment["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    assert container["image"] == f"flagger-py/podinfo:{version.__version__}"
    assert deployment["spec"]["strategy"]["rollingUpdate"]["maxUnavailable"] == 0
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert container["securityContext"]["readOnlyRootFilesystem"] is True
    assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
    assert container["readinessProbe"]["httpGet"]["path"] == "/readyz"
    environment = {variable["name"]: variable["value"] for variable in container["env"]}
    drain, grace = float(environment["PODINFO_DRAIN"]), float(environment["PODINFO_GRACE"])
    assert drain < grace < pod["terminationGracePeriodSeconds"]
    probe = container["readinessProbe"]
    assert drain >= probe["periodSeconds"] * probe["failureThreshold"]


@pytest.mark.parametrize("provider", ["traefik", "gatewayapi", "kubernetes"])
def test_canaries_fit_the_deployment(provider: str) -> None:
    (deployment,) = load(FOLDER / "deployment.yaml")
    (canary,) = load(FOLDER / provider / "canary.yaml")
    spec = canary["spec"]
    assert spec["provider"].partition(":")[0] == provider
    assert spec["targetRef"]["name"] == deployment["metadata"]["name"]
    container = deployment["spec"]["template"]["spec"]["containers"][0]
    assert spec["service"]["targetPort"] == container["ports"][0]["containerPort"]
    templates = {
        found["metadata"]["name"]
        for path in FILES
        for found in load(path)
        if found["kind"] == "MetricTemplate"
    }
    for metric in spec["analysis"]["metrics"]:
        assert metric.get("templateRef", {}).get("name", metric["name"]) in {
            "request-success-rate",
            "request-duration",
            *templates,
        }
