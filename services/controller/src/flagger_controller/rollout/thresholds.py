"""One threshold check for every metric (metrics.md section 5); pure.

Values come in the unit of their bounds: percent for the success rate, milliseconds for the
request duration, whatever the query returns for the others.
"""

import math
from decimal import Decimal
from typing import Final

from flagger_common import durations
from flagger_controller.api.analysis import ThresholdRange
from flagger_controller.api.canary import Canary, Metric

SUCCESS_RATE: Final = "request-success-rate"
"""The built-in metric whose deprecated `threshold` is a minimum."""
REQUEST_DURATION: Final = "request-duration"
"""The built-in metric that is a duration in milliseconds."""
BUILTINS: Final = (SUCCESS_RATE, REQUEST_DURATION)


def verdict(canary: Canary, metric: Metric, value: float) -> str | None:
    """None when the value is within the bounds, else the complete text of the Halt event."""
    broken = _broken_bound(metric, value, minimum=metric.name == SUCCESS_RATE)
    if broken is None:
        return None
    match metric.name:
        case "request-success-rate":
            sign, bound = broken
            found = f"success rate {value:.2f}% {sign} {shortest(bound)}%"
        case "request-duration":
            found = f"request duration {_compared_durations(value, *broken)}"
        case _:
            found = _custom(metric, value, *broken)
    return f"Halt {canary.key} advancement {found}"


def custom_verdict(canary: Canary, metric: Metric, value: float) -> str | None:
    """The same for the value of a query or template, which may belong to a built-in's entry.

    A special name with a query of its own has both checks and one pair of bounds; its own query
    is judged like any other, so the deprecated `threshold` is a maximum.
    """
    broken = _broken_bound(metric, value, minimum=False)
    if broken is None:
        return None
    return f"Halt {canary.key} advancement {_custom(metric, value, *broken)}"


def shortest(value: float) -> str:
    """A float as Go prints it: `99`, `99.5`, `1e+06`, `1e-05` (metrics.md 5.3)."""
    if not math.isfinite(value):
        return {math.inf: "+Inf", -math.inf: "-Inf"}.get(value, "NaN")
    number = Decimal(repr(float(value)))
    digits = "".join(map(str, number.as_tuple().digits)).lstrip("0").rstrip("0") or "0"
    exponent = number.adjusted() if number else 0
    if -4 <= exponent < 6:
        return format(number.normalize(), "f")
    sign = "-" if number < 0 else ""
    fraction = f".{digits[1:]}" if len(digits) > 1 else ""
    return f"{sign}{digits[0]}{fraction}e{exponent:+03d}"


def bounds(metric: Metric, *, minimum: bool) -> ThresholdRange:
    """The bounds of a metric; the deprecated `threshold` counts where there is no range.

    Args:
        metric: the check.
        minimum: what the deprecated threshold is; else a maximum.
    """
    if metric.threshold_range is not None:
        return metric.threshold_range
    return ThresholdRange(min=metric.threshold) if minimum else ThresholdRange(max=metric.threshold)


def _broken_bound(metric: Metric, value: float, *, minimum: bool) -> tuple[str, float] | None:
    """The comparison that failed: its sign in the text and the bound. Equality passes."""
    found = bounds(metric, minimum=minimum)
    if found.min is not None and value < found.min:
        return "<", found.min
    if found.max is not None and value > found.max:
        return ">", found.max
    return None


def _custom(metric: Metric, value: float, sign: str, bound: float) -> str:
    return f"{metric.name} {value:.2f} {sign} {shortest(bound)}"


def _compared_durations(value: float, sign: str, bound: float) -> str:
    """Whole milliseconds, as upstream prints; exact where that would hide the difference."""
    if not math.isfinite(value):
        return f"{shortest(value)} {sign} {durations.render(bound / 1000)}"
    shown, limit = (durations.render(int(each) / 1000) for each in (value, bound))
    if shown == limit or bound < 1:
        shown, limit = (durations.render(each / 1000) for each in (value, bound))
    return f"{shown} {sign} {limit}"
