"""The variables of queries (metrics.md 7.2); pure."""

import re
from collections.abc import Mapping
from typing import Final

from flagger_controller.api.canary import Canary, Metric
from flagger_controller.metrics.builtin import Observer

DEFAULT_INTERVAL: Final = "1m"
"""The window of a metric that names none; upstream applies it to built-ins only (M3)."""

Variables = Mapping[str, str | Mapping[str, str]]
"""Name to value; `variables` is itself a mapping."""

_PODS: Final = {
    "DaemonSet": "{}-[0-9a-zA-Z]+",
    "StatefulSet": "{}-[0-9]+",
}
_DEPLOYMENT_PODS: Final = "{}-[0-9a-zA-Z]+(-[0-9a-zA-Z]+)"
_KINDS: Final = ("Deployment", "DaemonSet", "StatefulSet")
_NAMES: Final = ("name", "namespace", "target", "service", "ingress")


def interval(metric: Metric) -> str:
    """The window as it is written into queries."""
    return metric.interval or DEFAULT_INTERVAL


def of(canary: Canary, metric: Metric, revision: str = "") -> dict[str, str | Mapping[str, str]]:
    """What templates and inline queries can use.

    Args:
        canary: the one that is judged, also when the template lives in another namespace.
        metric: the check, for its window and its own variables.
        revision: for Knative the revision under analysis, which takes the place of the route.
    """
    spec = canary.spec
    return {
        "name": canary.name,
        "namespace": canary.namespace,
        "target": canary.target,
        "service": canary.apex_service,
        "ingress": spec.ingress_ref.name if spec.ingress_ref else canary.target,
        "route": revision or (spec.route_ref.name if spec.route_ref else canary.target),
        "interval": interval(metric),
        "variables": dict(metric.template_variables),
    }


def for_observer(
    variables: Variables, canary: Canary, observer: Observer
) -> dict[str, str | Mapping[str, str]]:
    """What built-in queries can use besides: how pods and workloads of the target are named."""
    kind = canary.spec.target_ref.kind
    kind = kind if kind in _KINDS else "Deployment"
    pods = _PODS.get(kind, _DEPLOYMENT_PODS).format(canary.target)
    extended = {**variables, "pods": pods, "kind": kind, "workload": kind.lower()}
    if observer.words_only:
        for name in _NAMES:
            extended[name] = re.sub(r"\W", "_", str(extended[name]), flags=re.ASCII)
    return extended
