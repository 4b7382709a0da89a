"""What is wrong with a Canary beyond its schema (spec/canary-api.md section 3).

`problems` are reasons to leave the Canary alone: upstream refused it too, or nothing could be
generated for it, or its run would never end. `warnings` are about what is served, but probably
not as meant; also checks that always fail, because they end a run by themselves, with an event
and a rollback, while refusing a Canary would freeze it with its traffic where it is.
Pure, and total: every Canary that decodes can be judged.
"""

import itertools
from collections.abc import Callable, Iterator
from typing import Final
from urllib.parse import urlsplit

from flagger_common import durations
from flagger_controller.api import names
from flagger_controller.api.canary import (
    DEFAULT_DEADLINE,
    DEFAULT_INTERVAL,
    INTERVAL_FLOOR,
    LONGEST,
    Canary,
    Metric,
    Strategy,
    ThresholdRange,
    Webhook,
)

BUILTIN_METRICS: Final = ("request-success-rate", "request-duration")
_KNATIVE: Final = "knative"
_MOST_REPLICAS: Final = 2**31 - 1

Rule = Callable[[Canary, str], Iterator[str]]


def problems(canary: Canary, provider: str, *, no_cross_namespace_refs: bool = False) -> list[str]:
    """Why this Canary cannot be served; each text names field and remedy, or is upstream's.

    Args:
        canary: the Canary.
        provider: the effective one, that is the controller's default where the Canary has none.
        no_cross_namespace_refs: the flag of that name.
    """
    found = list(_foreign_references(canary)) if no_cross_namespace_refs else []
    return found + [text for rule in _PROBLEMS for text in rule(canary, provider)]


def warnings(canary: Canary, provider: str, *, floor: float = INTERVAL_FLOOR) -> list[str]:
    """What works, but probably not as meant; each text names the field and what happens.

    Args:
        canary: the Canary.
        provider: the effective one.
        floor: seconds of the shortest interval.
    """
    found = list(_interval(canary, floor))
    return found + [text for rule in _WARNINGS for text in rule(canary, provider)]


def _foreign_references(canary: Canary) -> Iterator[str]:
    for what, name, namespace in _references(canary):
        if namespace not in ("", canary.namespace):
            yield (
                f"can't access {what} {name}.{namespace}, cross-namespace references are blocked"
            )


def _references(canary: Canary) -> Iterator[tuple[str, str, str]]:
    """What is referred to, its name and its namespace."""
    upstream = canary.spec.upstream_ref
    if upstream:
        yield "gloo upstream", upstream.name, upstream.namespace
    for metric in canary.analysis.metrics:
        if metric.template_ref:
            yield "metric template", metric.template_ref.name, metric.template_ref.namespace
    for alert in canary.analysis.alerts:
        yield "alert provider", alert.provider_ref.name, alert.provider_ref.namespace


def _knative(canary: Canary, provider: str) -> Iterator[str]:
    ref = canary.spec.target_ref
    if canary.on_knative:
        if provider != _KNATIVE:
            yield f"can't use {provider} provider with Knative Service as target"
        if canary.spec.autoscaler_ref:
            yield "can't use autoscaler with Knative Service"
    elif provider == _KNATIVE:
        yield f"can't use {ref.api_version}/{ref.kind} as target if provider is set to knative"


def _names(canary: Canary, _: str) -> Iterator[str]:
    return names.of_objects(canary)


def _cookies(canary: Canary, _: str) -> Iterator[str]:
    affinity = canary.analysis.session_affinity
    if affinity and affinity.cookie_name == affinity.primary_cookie_name:
        yield (
            "can't use the same cookie name for both primary and cookie name; "
            "please update them to be different"
        )


def _service(canary: Canary, _: str) -> Iterator[str]:
    service = canary.spec.service
    if canary.on_knative:
        return
    if service is None:
        yield "spec.service is missing: set at least spec.service.port"
        return
    if not 1 <= service.port <= 65535:
        yield f"spec.service.port {service.port} is not a port: use 1 to 65535"
    yield from names.of_service(canary)


def _scaler(canary: Canary, _: str) -> Iterator[str]:
    ref = canary.spec.autoscaler_ref
    bounds = ref.primary_scaler_replicas if ref else None
    if not bounds:
        return
    for field, least, given in (
        ("minReplicas", 0, bounds.min_replicas),
        ("maxReplicas", 1, bounds.max_replicas),
    ):
        if given is not None and not least <= given <= _MOST_REPLICAS:
            yield (
                f"spec.autoscalerRef.primaryScalerReplicas.{field} {given} cannot be: "
                f"use {least} to {_MOST_REPLICAS}"
            )
    if bounds.min_replicas is None or bounds.max_replicas is None:
        return
    if bounds.min_replicas > bounds.max_replicas:
        yield (
            f"spec.autoscalerRef.primaryScalerReplicas: minReplicas {bounds.min_replicas} "
            f"is above maxReplicas {bounds.max_replicas}: lower it"
        )


def _steps(canary: Canary, provider: str) -> Iterator[str]:
    """A run that never moves; the kubernetes provider turns it into iterations."""
    analysis = canary.analysis
    if canary.skip_analysis or provider == "kubernetes":
        return
    weighted = analysis.step_weight > 0 or any(step > 0 for step in analysis.step_weights)
    if canary.strategy is Strategy.CANARY and not weighted:
        yield "spec.analysis has no steps: set stepWeight, stepWeights or iterations above 0"


def _metrics(canary: Canary, _: str) -> Iterator[str]:
    """Checks that can never pass; they are not made when the analysis is skipped."""
    if canary.skip_analysis:
        return
    for where, metric in _named_metrics(canary):
        usable = metric.name in BUILTIN_METRICS or metric.query or metric.template_ref
        if not usable:
            yield (
                f"{where} is not built in, so it always fails: set its templateRef or query, "
                f"or use {' or '.join(BUILTIN_METRICS)}"
            )
        bounds = metric.threshold_range or ThresholdRange()
        low, high = bounds.min, bounds.max
        if low is not None and high is not None and low > high:
            yield (
                f"{where}: thresholdRange.min {low:g} is above max {high:g}, "
                "so no value passes: swap them"
            )


def _timeouts(canary: Canary, _: str) -> Iterator[str]:
    """Upstream takes texts of one character for the default, and fails on others."""
    for where, hook in _named_hooks(canary):
        if len(hook.timeout) > 1 and not _is_duration(hook.timeout):
            yield (
                f'{where}: timeout "{hook.timeout}" is not a duration, so the hook always fails: '
                "write it as in 30s or 1m30s"
            )


def _interval(canary: Canary, floor: float) -> Iterator[str]:
    text = canary.analysis.interval
    if not text:
        return
    if not _is_duration(text):
        yield (
            f'spec.analysis.interval "{text}" is not a duration, as 30s or 1m30s are: '
            f"{DEFAULT_INTERVAL:g}s is used"
        )
    elif durations.parse(text) < floor:
        yield f'spec.analysis.interval "{text}" is too short: {floor:g}s is used'
    elif durations.parse(text) > LONGEST:
        yield f'spec.analysis.interval "{text}" is too long: a year is used'


def _weights(canary: Canary, _: str) -> Iterator[str]:
    analysis = canary.analysis
    percentages = {
        "maxWeight": analysis.max_weight,
        "stepWeight": analysis.step_weight,
        "stepWeightPromotion": analysis.step_weight_promotion,
        "mirrorWeight": analysis.mirror_weight,
        "primaryReadyThreshold": analysis.primary_ready_threshold or 0,
        "canaryReadyThreshold": analysis.canary_ready_threshold or 0,
    }
    for name, value in percentages.items():
        if not 0 <= value <= 100:
            yield f"spec.analysis.{name} {value} is not a percentage: use 0 to 100"
    steps = analysis.step_weights
    if any(not 1 <= step <= 100 for step in steps):
        yield "spec.analysis.stepWeights has elements that are not percentages: use 1 to 100"
    if any(later <= earlier for earlier, later in itertools.pairwise(steps)):
        yield "spec.analysis.stepWeights is not increasing: elements that go back are skipped"


def _strategy(canary: Canary, provider: str) -> Iterator[str]:
    mirror = canary.analysis.mirror
    if provider == "kubernetes":
        if mirror:
            yield "spec.analysis.mirror is ignored: Services cannot mirror requests"
        return
    if mirror and canary.strategy is Strategy.AB_TESTING:
        yield "spec.analysis.mirror is ignored: requests of an A/B test go to the canary"
    if canary.analysis.match and canary.strategy is Strategy.CANARY:
        yield (
            "spec.analysis.match without iterations above 0: each step is a share of the requests "
            "that meet it, all others stay on the primary"
        )


def _numbers(canary: Canary, _: str) -> Iterator[str]:
    if "threshold" in canary.analysis.model_fields_set and canary.analysis.threshold < 1:
        yield f"spec.analysis.threshold {canary.analysis.threshold} is below 1: 1 is used"
    deadline = canary.spec.progress_deadline_seconds
    if deadline is not None and deadline < 1:
        used = f"{DEFAULT_DEADLINE} is used" if deadline == 0 else "pods get no time to start"
        yield f"spec.progressDeadlineSeconds {deadline} is below 1: {used}"
    if deadline is not None and deadline > LONGEST:
        yield f"spec.progressDeadlineSeconds {deadline} is more than a year: a year is used"


def _bounds(canary: Canary, _: str) -> Iterator[str]:
    for where, metric in _named_metrics(canary):
        if metric.interval and not _is_duration(metric.interval):
            yield f'{where}: interval "{metric.interval}" is not a duration, as 30s or 1m are'
        bounds = metric.threshold_range
        if bounds and bounds.min is None and bounds.max is None:
            yield f"{where}: thresholdRange has neither min nor max, so every value passes"
        if bounds is None and "threshold" not in metric.model_fields_set:
            every = metric.name == BUILTIN_METRICS[0]
            effect = "every value passes" if every else "every value above 0 fails"
            yield f"{where} has no thresholdRange, so {effect}: set min or max"


def _hooks(canary: Canary, _: str) -> Iterator[str]:
    for where, hook in _named_hooks(canary):
        if not _is_address(hook.url):
            yield f'{where}: url "{hook.url}" cannot be called: write it as in http://host/path'
        if hook.retries < 0:
            yield f"{where}: retries {hook.retries} is negative: none is made"


def _named_metrics(canary: Canary) -> Iterator[tuple[str, Metric]]:
    for index, metric in enumerate(canary.analysis.metrics):
        yield f'spec.analysis.metrics[{index}] "{metric.name}"', metric


def _named_hooks(canary: Canary) -> Iterator[tuple[str, Webhook]]:
    for index, hook in enumerate(canary.analysis.webhooks):
        yield f'spec.analysis.webhooks[{index}] "{hook.name}"', hook


def _is_duration(text: str) -> bool:
    try:
        durations.parse(text)
    except ValueError:
        return False
    return True


def _is_address(text: str) -> bool:
    try:
        parts = urlsplit(text)
    except ValueError:
        return False
    return parts.scheme in ("http", "https") and bool(parts.netloc)


_PROBLEMS: Final[tuple[Rule, ...]] = (_names, _knative, _cookies, _service, _scaler, _steps)
_WARNINGS: Final[tuple[Rule, ...]] = (
    *(_weights, _strategy, _numbers, _metrics, _bounds, _timeouts, _hooks),
)
