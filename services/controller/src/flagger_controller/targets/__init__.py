"""What is being rolled out: one small file per kind of target, and one per kind of autoscaler."""

import importlib
from collections.abc import Mapping
from typing import Any, Final

from flagger_controller.api.canary import Canary
from flagger_controller.errors import ConfigError
from flagger_controller.targets.base import Scaler, Target, TargetSettings

TARGETS: Final[Mapping[str, str]] = {
    "Deployment": "flagger_controller.targets.deployment:Deployment",
    "DaemonSet": "flagger_controller.targets.daemonset:DaemonSet",
    "StatefulSet": "flagger_controller.targets.statefulset:StatefulSet",
    "Service": "flagger_controller.targets.service:Service",
    "serving.knative.dev/v1/Service": "flagger_controller.targets.knative:KnativeService",
}
"""Kind of `targetRef`, after its apiVersion where two kinds have the same name, to what makes its
implementation."""

SCALERS: Final[Mapping[str, str]] = {
    "HorizontalPodAutoscaler": "flagger_controller.targets.scalers.hpa:HorizontalPodAutoscaler",
    "ScaledObject": "flagger_controller.targets.scalers.scaledobject:ScaledObject",
}
"""Kind of `autoscalerRef` to the class that implements it."""


def target_for(canary: Canary, settings: TargetSettings) -> Target:
    """The implementation of the canary's target kind.

    Raises:
        ConfigError: there is none; upstream took unknown kinds for Deployments.
    """
    ref = canary.spec.target_ref
    place = TARGETS.get(f"{ref.api_version}/{ref.kind}") or TARGETS.get(ref.kind)
    if place is None:
        raise ConfigError(
            f'spec.targetRef.kind "{ref.kind}" is not supported; use one of {_names(TARGETS)}'
        )
    target: Target = _load(place)(settings)
    return target


def scaler_for(canary: Canary) -> Scaler | None:
    """The implementation of the canary's autoscaler kind; None without `autoscalerRef`.

    Raises:
        ConfigError: the kind is unknown.
    """
    ref = canary.spec.autoscaler_ref
    if ref is None:
        return None
    if ref.kind not in SCALERS:
        raise ConfigError(
            f'spec.autoscalerRef.kind "{ref.kind}" is not supported; use one of {_names(SCALERS)}'
        )
    scaler: Scaler = _load(SCALERS[ref.kind])()
    return scaler


def _names(registry: Mapping[str, str]) -> str:
    return ", ".join(sorted(registry))


def _load(path: str) -> Any:
    module, _, name = path.partition(":")
    return getattr(importlib.import_module(module), name)
