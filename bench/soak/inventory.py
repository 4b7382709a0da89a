"""How many entries every container of the controller has, found by looking, not by a list of them.

So a container that somebody adds is watched, too.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sized
from collections.abc import Set as AbstractSet
from enum import Enum
from typing import Final

from prometheus_client.metrics import MetricWrapperBase

PACKAGE: Final = "flagger_controller."
VALUES: Final = (
    *("flagger_controller.api.", "flagger_controller.cluster.fake"),
    *("flagger_controller.cluster.memory", "flagger_controller.operator.settings"),
)
"""Modules of what does not change, and of the API server in memory."""
SMALL: Final = 1000
"""Entries of a container whose values are looked into: reflectors, not canaries."""


def entries(*roots: object) -> Counter[str]:
    """Return the number of entries by `Class.attribute`, of all objects that roots refer to."""
    found: Counter[str] = Counter()
    seen: set[int] = set()
    waiting = list(roots)
    while waiting:
        each = waiting.pop()
        if id(each) in seen:
            continue
        seen.add(id(each))
        for name, value in _attributes(each):
            label = f"{type(each).__name__}.{name}"
            if isinstance(value, MetricWrapperBase):
                found[label] += len(_series(value))
                continue
            waiting.append(value)
            if isinstance(value, Sized) and not isinstance(value, (str, bytes)):
                found[label] += len(value)
                waiting += _values(value)
    return +found


def _attributes(each: object) -> Iterator[tuple[str, object]]:
    module = type(each).__module__
    if not (isinstance(each, Enum) or module.startswith(VALUES)) and module.startswith(PACKAGE):
        yield from getattr(each, "__dict__", {}).items()


def _series(family: MetricWrapperBase) -> Sized:
    """The label sets of a family; the library has no other way to count them quickly."""
    series: Sized = getattr(family, "_metrics", ())
    return series


def _values(container: Sized) -> list[object]:
    if len(container) > SMALL:
        return []
    if isinstance(container, Mapping):
        return list(container.values())
    return list(container) if isinstance(container, (list, tuple, AbstractSet)) else []
