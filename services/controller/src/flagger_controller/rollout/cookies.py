"""Session cookies of a run (routing.md 4.5): made and retired by the engine, shown by routers."""

from typing import Final

from flagger_controller.api.canary import Canary
from flagger_controller.api.status import CanaryStatus

LENGTH: Final = 10
"""Letters in a cookie's value."""


def renewed(canary: Canary, status: CanaryStatus, entropy: str) -> CanaryStatus:
    """The status with the cookies that its route needs."""
    affinity = canary.analysis.session_affinity
    if affinity is None or status.run.route is None:
        return status
    if status.run.route.canary == 0:
        if not status.session_affinity_cookie:
            return status
        retired = {
            "previous_session_affinity_cookie": status.session_affinity_cookie,
            "session_affinity_cookie": "",
        }
        return status.model_copy(update=retired)
    changes: dict[str, str] = {}
    if not status.session_affinity_cookie:
        changes["session_affinity_cookie"] = f"{affinity.cookie_name}={entropy[:LENGTH]}"
    if affinity.primary_cookie_name and not status.primary_session_affinity_cookie:
        value = entropy[LENGTH : 2 * LENGTH]
        changes["primary_session_affinity_cookie"] = f"{affinity.primary_cookie_name}={value}"
    return status.model_copy(update=changes) if changes else status
