"""How many replicas a target starts with when nobody says so (targets.md 5.3)."""

from flagger_controller.api.base import Object
from flagger_controller.targets.base import Scaler


def start_replicas(
    primary: Object | None, scaler: Scaler | None, scaler_object: Object | None
) -> int:
    """The `replicas` argument of `Target.scaled`, at least 1.

    The minimum of the autoscaler where there is one (1 when the object is missing), else the
    size of the primary.
    """
    if scaler is not None:
        return scaler.replicas(scaler_object) if scaler_object else 1
    current = ((primary or {}).get("spec") or {}).get("replicas")
    return max(1, int(current)) if current is not None else 1
