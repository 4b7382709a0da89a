"""Texts of Events, and which of them depend on the speed of the machine."""

from collections.abc import Iterable
from typing import Final

NOISE: Final = (
    # Pods start and end as fast as the machine lets them.
    " not ready: ",
    # Before the first samples of a new backend are there.
    "no values found",
    # At every tick of the initialization.
    "all the metrics providers are available!",
)


def essential(texts: Iterable[str], namespace: str) -> list[str]:
    """Return texts without noise and repetitions, and without the namespace's own name."""
    found: list[str] = []
    for text in texts:
        plain = text.replace(namespace, "NS")
        if plain not in found and not any(words in plain for words in NOISE):
            found.append(plain)
    return found


INITIALIZED: Final = ["Initialization done! podinfo.NS"]
DETECTED: Final = "New revision detected! Scaling up podinfo.NS"
STARTING: Final = "Starting canary analysis for podinfo.NS"
COPYING: Final = "Copying podinfo.NS template spec to podinfo-primary.NS"
TO_PRIMARY: Final = "Routing all traffic to primary"
COMPLETED: Final = "Promotion completed! Scaling down podinfo.NS"
FAILED: Final = "Canary failed! Scaling down podinfo.NS"


def advance(*weights: int) -> list[str]:
    """Return the texts of steps of weight."""
    return [f"Advance podinfo.NS canary weight {weight}" for weight in weights]


def iterate(count: int) -> list[str]:
    """Return the texts of iterations."""
    return [f"Advance podinfo.NS canary iteration {k}/{count}" for k in range(1, count + 1)]
