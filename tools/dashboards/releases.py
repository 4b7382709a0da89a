"""The dashboard of our own series: how releases go, and whether the controller keeps up."""

from typing import Final

from tools.dashboards.panels import Dashboard, Panel, Query, Row, Variable

NAMESPACE: Final = Variable(
    "namespace", "Namespace", "label_values(flagger_canary_status, namespace)", many=True
)
TARGET: Final = Variable(
    "target",
    "Target",
    'label_values(flagger_canary_status{namespace=~"$namespace"}, name)',
    many=True,
)
CHOSEN: Final = 'namespace=~"$namespace", name=~"$target"'
WORKLOADS: Final = 'namespace=~"$namespace", workload=~"($target)(-primary)?"'
ACTIVE: Final = "Progressing|WaitingPromotion|Promoting|Finalising"
CANARY: Final = "{{canary}}.{{namespace}}"


def _new(series: str, window: str) -> str:
    return f"sum(increase({series}{{{CHOSEN}}}[{window}]))"


def _ended(window: str) -> str:
    successes = _new("flagger_canary_successes_total", window)
    return f"({successes} + {_new('flagger_canary_failures_total', window)})"


def _promoted(quantile: float, window: str) -> str:
    buckets = f'flagger_canary_run_duration_seconds_bucket{{{CHOSEN}, outcome="succeeded"}}'
    return f"histogram_quantile({quantile}, sum by (le) (increase({buckets}[{window}])))"


def _slowest(histogram: str, by: str = "") -> str:
    labels = f"le, {by}" if by else "le"
    rates = f"sum by ({labels}) (rate({histogram}_bucket[$__rate_interval]))"
    return f"histogram_quantile(0.99, {rates})"


def _rate(series: str, by: str) -> str:
    return f"sum by ({by}) (rate({series}[$__rate_interval]))"


_SUCCESSES: Final = "flagger_canary_successes_total"
_FAILURES: Final = "flagger_canary_failures_total"
_PHASE: Final = f'flagger_canary_phase{{{CHOSEN}, phase=~"{ACTIVE}"}}'

RELEASES: Final = Row(
    "Releases",
    (
        Panel("Releases in a day", (Query(_ended("1d")),), "short", "stat", 6),
        Panel(
            "Success ratio",
            (Query(f"{_new(_SUCCESSES, '$__range')} / {_ended('$__range')}"),),
            *("percentunit", "stat", 6),
            text="Promoted releases of all that ended in the time shown.",
        ),
        Panel(
            "Time to promote",
            (Query(_promoted(0.5, "$__range"), "P50"), Query(_promoted(0.9, "$__range"), "P90")),
            *("s", "stat", 6),
            text="From the new revision to its promotion.",
        ),
        Panel("Under way", (Query(f"count({_PHASE}) or vector(0)"),), "short", "stat", 6),
        Panel(
            "Releases a day",
            (
                Query(_new(_SUCCESSES, "1d"), "promoted"),
                Query(_new(_FAILURES, "1d"), "failed"),
            ),
        ),
        Panel(
            "Time to promote, over a day",
            (Query(_promoted(0.5, "1d"), "P50"), Query(_promoted(0.9, "1d"), "P90")),
            "s",
        ),
    ),
)
NOW: Final = Row(
    "Now",
    (
        Panel("Canaries", (Query(f"flagger_canary_phase{{{CHOSEN}}}"),), "short", "table"),
        Panel(
            "Weights",
            (Query(f"flagger_canary_weight{{{WORKLOADS}}}", "{{workload}}.{{namespace}}"),),
            "percent",
        ),
        Panel(
            "Iterations",
            (Query(f"flagger_canary_iterations{{{CHOSEN}}}", CANARY),),
            text="Of A/B testing and Blue/Green.",
        ),
        Panel(
            "Since the last step",
            (
                Query(
                    f"time() - flagger_canary_last_step_timestamp_seconds{{{CHOSEN}}} "
                    f"and on (namespace, canary) {_PHASE}",
                    CANARY,
                ),
            ),
            "s",
            text="Of releases under way; one that waits for a gate is among them.",
        ),
    ),
)
HALTS: Final = Row(
    "Why releases halt",
    (
        Panel(
            "Failed checks",
            (Query(f"flagger_canary_failed_checks{{{CHOSEN}}}", CANARY),),
            text="A release is rolled back at analysis.threshold.",
        ),
        Panel(
            "Checks that did not pass",
            (
                Query(
                    "sum by (canary, namespace, check, result) (increase("
                    f'flagger_canary_checks_total{{{CHOSEN}, result!="passed"}}'
                    "[$__rate_interval]))",
                    f"{CANARY} {{{{check}}}}: {{{{result}}}}",
                ),
            ),
            text="failed: out of bounds, or a hook said no. no-values: no series. error: the "
            "source could not be asked.",
        ),
        Panel(
            "Values of checks",
            (
                Query(
                    f"flagger_canary_metric_analysis{{{CHOSEN}}}",
                    "{{name}}.{{namespace}} {{metric}}",
                ),
            ),
            text="request-success-rate in percent, request-duration in seconds.",
        ),
        Panel(
            "Rollbacks by cause",
            (
                Query(
                    "sum by (cause) (increase("
                    f"flagger_canary_rollbacks_total{{{CHOSEN}}}[$__range]))",
                    "{{cause}}",
                ),
            ),
            *("short", "bargauge"),
        ),
    ),
)
CONTROLLER: Final = Row(
    "Controller",
    (
        Panel("Leaders", (Query("sum(flagger_leader)"),), "short", "stat", 6),
        Panel("Canaries", (Query("sum(flagger_canary_total)"),), "short", "stat", 6),
        Panel(
            "Version",
            (Query("flagger_info", "{{version}} {{mesh_provider}}"),),
            *("short", "stat", 12),
            words=True,
        ),
        Panel(
            "Ticks, P99",
            (
                Query(_slowest("flagger_tick_lag_seconds"), "late"),
                Query(_slowest("flagger_tick_duration_seconds"), "duration"),
            ),
            "s",
            text="late: from when a tick was due to when it began.",
        ),
        Panel("Failed ticks", (Query(_rate("flagger_tick_errors_total", "error"), "{{error}}"),)),
        Panel(
            "Requests to the Kubernetes API",
            (Query(_rate("flagger_api_requests_total", "verb, code"), "{{verb}} {{code}}"),),
            "reqps",
        ),
        Panel("Queues", (Query("sum by (queue) (flagger_queue_depth)", "{{queue}}"),)),
        Panel(
            "Checks, P99",
            (Query(_slowest("flagger_check_duration_seconds", "kind"), "{{kind}}"),),
            "s",
        ),
        Panel(
            "Webhooks and alerts",
            (
                Query(
                    _rate("flagger_webhook_requests_total", "type, outcome"), "{{type}} {{outcome}}"
                ),
                Query(
                    _rate("flagger_alert_requests_total", "provider, outcome"),
                    "{{provider}} {{outcome}}",
                ),
            ),
            "reqps",
        ),
        Panel(
            "Analysis ticks, mean",
            (
                Query(
                    f"sum(rate(flagger_canary_duration_seconds_sum{{{CHOSEN}}}[$__rate_interval]))"
                    " / sum(rate("
                    f"flagger_canary_duration_seconds_count{{{CHOSEN}}}[$__rate_interval]))",
                    "mean",
                ),
            ),
            "s",
        ),
        Panel(
            "Memory",
            (
                Query(
                    "process_resident_memory_bytes and on (job, instance) flagger_info",
                    "{{instance}}",
                ),
            ),
            "bytes",
        ),
    ),
)

DASHBOARD: Final = Dashboard(
    "flagger-releases",
    "Flagger Releases",
    "How releases go, why they halt, and whether the controller keeps up.",
    (NAMESPACE, TARGET),
    (RELEASES, NOW, HALTS, CONTROLLER),
)
