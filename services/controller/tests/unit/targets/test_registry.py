"""Which class serves which kind."""

import pytest

from flagger_controller import targets
from flagger_controller.errors import ConfigError
from flagger_controller.targets.base import TargetSettings

from .workloads import Build


@pytest.mark.parametrize("kind", targets.TARGETS)
def test_every_target_kind_loads(canary: Build, kind: str) -> None:
    settings = TargetSettings(selector_labels=("x",))
    api, _, name = kind.rpartition("/")
    ref = {"kind": name, "apiVersion": api or "apps/v1"}
    target = targets.target_for(canary(targetRef=ref), settings)
    assert target.resource.kind == name
    assert not api or target.resource.api_version == api
    assert target.settings == settings  # type: ignore[attr-defined]


@pytest.mark.parametrize("kind", targets.SCALERS)
def test_every_scaler_kind_loads(canary: Build, kind: str) -> None:
    ref = {"apiVersion": "x/v1", "kind": kind, "name": "web"}
    scaler = targets.scaler_for(canary(autoscalerRef=ref))
    assert scaler is not None
    assert scaler.resource.kind == kind


def test_no_scaler(canary: Build) -> None:
    assert targets.scaler_for(canary()) is None


@pytest.mark.parametrize(
    ("ref", "text"),
    [
        (
            {"kind": "ReplicaSet"},
            'spec.targetRef.kind "ReplicaSet" is not supported; '
            "use one of DaemonSet, Deployment, Service, StatefulSet, "
            "serving.knative.dev/v1/Service",
        ),
    ],
)
def test_unknown_targets_are_refused(canary: Build, ref: dict[str, str], text: str) -> None:
    with pytest.raises(ConfigError) as caught:
        targets.target_for(canary(targetRef=ref), TargetSettings())
    assert str(caught.value) == text


def test_unknown_scalers_are_refused(canary: Build) -> None:
    ref = {"apiVersion": "x/v1", "kind": "VPA", "name": "web"}
    with pytest.raises(ConfigError, match=r'spec\.autoscalerRef\.kind "VPA" is not supported'):
        targets.scaler_for(canary(autoscalerRef=ref))


def test_settings_are_trimmed() -> None:
    settings = TargetSettings(selector_labels=(" app ", ""), include_label_prefix=("", " a.b/ "))
    assert settings == TargetSettings(selector_labels=("app",), include_label_prefix=("a.b/",))
