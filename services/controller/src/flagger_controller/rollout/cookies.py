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
    if not _named(status.session_affinity_cookie, affinity.cookie_name):
        changes["session_affinity_cookie"] = f"{affinity.cookie_name}={entropy[:LENGTH]}"
    primary = affinity.primary_cookie_name
    if primary and not _named(status.primary_session_affinity_cookie, primary):
        value = entropy[LENGTH : 2 * LENGTH]
        changes["primary_session_affinity_cookie"] = f"{primary}={value}"
    return status.model_copy(update=changes) if changes else status


def _named(cookie: str, name: str) -> bool:
    """Is there a cookie, and has it the name that is asked for now?"""
    return cookie.startswith(f"{name}=")
