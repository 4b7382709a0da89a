"""Step arithmetic and safe splits of traffic."""

from flagger_controller.api.canary import Canary
from flagger_controller.api.status import Route


def next_weight(canary: Canary, weight: int) -> int:
    """The canary weight after `weight`, 1 to 100 (state-machine.md 7.1).

    With `stepWeights` the next element greater than the current weight, so that a list that was
    edited during a run or is not increasing cannot stall the run (sharp edge S10).
    """
    steps = canary.analysis.step_weights
    if canary.analysis.step_weight > 0 or not steps:
        return min(100, weight + canary.analysis.step_weight)
    return min(100, next((step for step in steps if step > weight), 100))


def split(weight: int, *, mirrored: bool = False) -> Route:
    """The route that gives the canary `weight` percent."""
    return Route(primary=100 - weight, canary=weight, mirrored=mirrored)


def safe(route: Route, *, primary_available: bool, canary_available: bool) -> Route:
    """The split that may be shown: no traffic to a backend without a pod (invariant I2).

    A canary that has no traffic gets none, whatever happens to the primary: nobody analysed it.
    When neither side has a pod the split stays as it is: moving it helps nobody.
    """
    if route.canary > 0 and not canary_available and primary_available:
        return Route()
    if route.canary > 0 and canary_available and not primary_available:
        return split(100)
    if route.mirrored and not canary_available:
        return Route(primary=route.primary, canary=route.canary)
    return route
