"""Objects that are none of a controller's business, where its watches may see them.

They are made beside a fleet, changed at a steady rate, and deleted with its namespaces.
"""

import itertools
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from bench.scale.hands import Hands
from bench.scale.objects import Object
from tools.cluster import api

COUNT: Final = 2000
"""Objects of all kinds together, whatever the size of the fleet."""
RATE: Final = 20.0
"""Changes a second."""
SECONDS: Final = 60.0
LABELS: Final = {"app": "noise"}
DEPLOYMENT: Final[Object] = {
    "spec": {
        "replicas": 0,  # no pods: they would be work for the control plane
        "selector": {"matchLabels": LABELS},
        "template": {
            "metadata": {"labels": LABELS},
            "spec": {"containers": [{"name": "app", "image": "bench/noise:1"}]},
        },
    }
}
KINDS: Final[tuple[tuple[str, Object], ...]] = (
    ("/apis/apps/v1/namespaces/{}/deployments", DEPLOYMENT),
    ("/api/v1/namespaces/{}/configmaps", {"data": {"key": "value"}}),
    ("/api/v1/namespaces/{}/secrets", {"stringData": {"key": "value"}}),
)
"""Where each kind is in a namespace, and what its objects are but for their metadata."""


@dataclass(frozen=True)
class Thing:
    """An object that nobody asked for."""

    collection: str
    """Path of those of its kind in its namespace."""
    name: str
    content: Object
    """All but the metadata."""

    @property
    def path(self) -> str:
        """Where it is."""
        return f"{self.collection}/{self.name}"


def things(namespaces: Sequence[str], count: int) -> list[Thing]:
    """Return so many things: of each kind as many, in each namespace as many, and all mixed."""
    turns = itertools.islice(itertools.cycle(itertools.product(namespaces, KINDS)), count)
    return [
        Thing(pattern.format(namespace), f"noise-{number}", content)
        for number, (namespace, (pattern, content)) in enumerate(turns)
    ]


def make(hands: Hands, made: Iterable[Thing]) -> None:
    """Make things.

    Raises:
        requests.RequestException: some could not be made.
    """

    def create(client: api.Api, thing: Thing) -> None:
        client.create(thing.collection, {"metadata": {"name": thing.name}, **thing.content})

    hands.each(create, made)


def change(hands: Hands, made: Iterable[Thing], rest: Callable[[float], None]) -> int:
    """Change things in turn, each by an annotation; return how often that was done.

    Args:
        hands: who does it.
        made: what there is.
        rest: lets time pass, in seconds.

    Raises:
        requests.RequestException: one could not be changed.
    """
    turns = enumerate(itertools.cycle(made))

    def annotate(client: api.Api, turn: tuple[int, Thing]) -> None:
        number, thing = turn
        client.patch(thing.path, {"metadata": {"annotations": {"bench/change": str(number)}}})

    return paced(lambda: hands.each(annotate, [next(turns)]), rest)


def paced(
    work: Callable[[], object],
    rest: Callable[[float], None],
    now: Callable[[], float] = time.monotonic,
) -> int:
    """Do something `RATE` times a second for `SECONDS`; return how often it was done.

    Each time has a slot of its own. Those that pass while it is being done are lost: then it is
    done less often, and never in a burst.
    """
    begin, done, slot = now(), 0, 0
    while slot < SECONDS * RATE:
        rest(max(begin + slot / RATE - now(), 0))
        work()
        done += 1
        slot = max(slot + 1, int((now() - begin) * RATE))
    rest(max(begin + SECONDS - now(), 0))
    return done
