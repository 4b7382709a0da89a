"""Objects of the user that some routers read, copy and never write."""

from collections.abc import Callable, Mapping
from typing import Any

from flagger_controller.api.canary import Canary
from flagger_controller.cluster.client import Object, Ref

BY_PROVIDER: Mapping[str, Callable[[Canary], tuple[Ref, Object]]] = {}
"""Provider to the object that its Canary refers to."""
REFERENCES: Mapping[str, Any] = {}
"""The members of a Canary that name them."""


def by(canary: Canary) -> dict[Ref, Object]:
    """What the router of this Canary only reads."""
    make = BY_PROVIDER.get(canary.spec.provider)
    return dict([make(canary)]) if make else {}
