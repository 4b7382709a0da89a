"""Self-references: pods that are spread away from, or pulled to, pods of their own workload.

On the primary these selectors must follow the renamed selector label, or they would look at the
canary's pods (targets.md 5.5 with its fix T10).
"""

from collections.abc import Callable, Iterator
from typing import Final

from flagger_controller.api.base import Object
from flagger_controller.api.traits import Selector

_SUFFIX: Final = "-primary"
_REQUIRED: Final = "requiredDuringSchedulingIgnoredDuringExecution"
_PREFERRED: Final = "preferredDuringSchedulingIgnoredDuringExecution"


def rewrite(pod: Object, selector: Selector) -> None:
    """Point every label selector of the pod spec that means the target at the primary."""

    def renamed(key: str, value: str) -> str:
        own = key == selector.key and value == selector.value
        return selector.primary if own else value

    _replace(pod, renamed)


def normalise(pod: Object) -> None:
    """Undo the rewriting, ours or upstream's, so that templates of both can be compared."""
    _replace(pod, lambda _, value: value.removesuffix(_SUFFIX))


def _replace(pod: Object, change: Callable[[str, str], str]) -> None:
    for selector in _selectors(pod):
        labels = selector.get("matchLabels") or {}
        labels.update({key: change(key, value) for key, value in labels.items()})
        for expression in selector.get("matchExpressions") or ():
            if expression.get("values"):
                key = expression.get("key", "")
                expression["values"] = [change(key, value) for value in expression["values"]]


def _selectors(pod: Object) -> Iterator[Object]:
    for constraint in pod.get("topologySpreadConstraints") or ():
        yield constraint.get("labelSelector") or {}
    affinity = pod.get("affinity") or {}
    for kind in ("podAffinity", "podAntiAffinity"):
        rules = affinity.get(kind) or {}
        for term in rules.get(_REQUIRED) or ():
            yield term.get("labelSelector") or {}
        for weighted in rules.get(_PREFERRED) or ():
            yield (weighted.get("podAffinityTerm") or {}).get("labelSelector") or {}
