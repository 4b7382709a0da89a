"""Who controls an object: a Canary writes what it made itself, and asks before anything else."""

from collections.abc import Mapping
from typing import Any

from flagger_controller.api.base import GROUP, Object
from flagger_controller.api.canary import Canary


def controller_of(live: Object) -> Mapping[str, Any] | None:
    """The owner reference of the object's controller."""
    for owner in live["metadata"].get("ownerReferences") or ():
        if owner.get("controller"):
            return dict(owner)
    return None


def is_ours(canary: Canary, live: Object) -> bool:
    """Did this Canary create the object?"""
    owner = controller_of(live) or {}
    return (
        owner.get("kind") == "Canary"
        and str(owner.get("apiVersion")).startswith(f"{GROUP}/")
        and owner.get("name") == canary.name
    )
