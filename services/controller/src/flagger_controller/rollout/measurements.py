"""What the status says about the last measurements; pure."""

from typing import Final

from flagger_controller.api.status import CanaryStatus, CheckResult, Verdict
from flagger_controller.rollout import conditions, judging, thresholds
from flagger_controller.rollout.case import Case
from flagger_controller.rollout.evidence import Measured, MetricCheck, MetricPart, Unmeasured

_MESSAGE_LIMIT: Final = 512
"""Characters of a message; the status is an object that everybody watches."""


def recorded(case: Case, status: CanaryStatus) -> CanaryStatus:
    """The next status, with what was measured on the way to it.

    A status that stays as it is is not written for it: the values would change at every tick that
    waits for something else.
    """
    measured = case.evidence.measurements
    if status == case.status or not measured:
        return status
    wanted = judging.metric_checks(case.analysis.metrics)
    checks = [_result(case, check, measured[check]) for check in wanted if check in measured]
    return status.model_copy(update={"checks": tuple(checks)})


def _result(case: Case, check: MetricCheck, measured: Measured | Unmeasured) -> CheckResult:
    metric = case.analysis.metrics[check.index]
    builtin = check.part is MetricPart.BUILTIN
    minimum = builtin and metric.name == thresholds.SUCCESS_RATE
    failure = judging.metric_failure(case, check, measured)
    if isinstance(measured, Measured):
        value, verdict = measured.value, Verdict.FAILED if failure else Verdict.PASSED
    else:
        value, verdict = None, measured.verdict
    return CheckResult(
        name=metric.name,
        type=check.part,
        value=value,
        bounds=thresholds.bounds(metric, minimum=minimum),
        verdict=verdict,
        message=failure.text[:_MESSAGE_LIMIT] if failure else "",
        time=conditions.timestamp(case.now),
    )
