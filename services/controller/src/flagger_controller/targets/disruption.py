"""Disruption budgets: the primary has the one that its owner made for the target.

The budget of a target selects the label that is rewritten for the primary, so without a copy
nothing limits how many pods of production are evicted at once.
"""

import copy
from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from typing import Final

from flagger_controller.api import ownership
from flagger_controller.api.base import Object
from flagger_controller.api.canary import Canary
from flagger_controller.api.traits import Selector
from flagger_controller.cluster import resources
from flagger_controller.cluster.client import Ref
from flagger_controller.targets import metadata

Labels = Mapping[str, str]


def budgets(canary: Canary) -> Ref:
    """Every budget in the namespace: which of them are about the target is up to their owners."""
    return Ref(resources.DISRUPTION_BUDGETS, "", canary.namespace)


def copies(
    canary: Canary, target: Object, live: Mapping[Ref, Object], selector: Selector
) -> Mapping[Ref, Object]:
    """The budget of the primary; none when its owner made one, under whatever name.

    A pod under two budgets cannot be evicted at all, so there is never more than one copy, and none
    where another budget selects the primary's pods.
    """
    found = _budgets(canary, live)
    foreign = {ref: body for ref, body in found.items() if not ownership.is_ours(canary, body)}
    labels = metadata.entries(target["spec"]["template"].get("metadata"), "labels")
    pods = metadata.selected(labels, selector)
    if any(_selects(body, pods) for body in foreign.values()):
        return {}
    own = [ref for ref, body in foreign.items() if _is_about(body, labels, selector)]
    if not own:
        return {}
    source = min(own, key=lambda ref: ref.name)
    ref = replace(source, name=f"{source.name}-primary")
    return {} if ref in foreign else {ref: _copied(canary, found[source], ref, live, selector)}


def stale(
    canary: Canary, target: Object, live: Mapping[Ref, Object], selector: Selector
) -> tuple[Ref, ...]:
    """Our budgets that are not, or no longer, the primary's."""
    wanted = copies(canary, target, live, selector)
    return tuple(
        ref
        for ref, body in _budgets(canary, live).items()
        if ref not in wanted and ownership.is_ours(canary, body) and not _is_going(body)
    )


def _budgets(canary: Canary, live: Mapping[Ref, Object]) -> dict[Ref, Object]:
    return {ref: live[ref] for ref in budgets(canary).covered(live)}


def _copied(
    canary: Canary, source: Object, ref: Ref, live: Mapping[Ref, Object], selector: Selector
) -> Object:
    found, meta = live.get(ref), source["metadata"]
    labels = metadata.without_flux(metadata.entries(meta, "labels"))
    annotations = metadata.inherited(metadata.entries(meta, "annotations"))
    body: Object = copy.deepcopy(found) if found else metadata.header(ref.resource)
    body["metadata"] = metadata.merged(canary, ref.name, found, labels, annotations)
    body["spec"] = copy.deepcopy(source["spec"])
    body["spec"]["selector"]["matchLabels"][selector.key] = selector.primary
    return body


def _is_about(budget: Object, labels: Labels, selector: Selector) -> bool:
    """Does it select the target's pods, by the label that the primary has another value for?"""
    chosen = (budget["spec"].get("selector") or {}).get("matchLabels") or {}
    return chosen.get(selector.key) == selector.value and _selects(budget, labels)


def _is_going(budget: Object) -> bool:
    return budget["metadata"].get("deletionTimestamp") is not None


def _selects(budget: Object, labels: Labels) -> bool:
    """Does a budget select pods with these labels? An empty selector does, an absent one not."""
    selector = budget["spec"].get("selector")
    if selector is None:
        return False
    wanted = (selector.get("matchLabels") or {}).items()
    return all(labels.get(key) == value for key, value in wanted) and all(
        _OPERATORS[rule["operator"]](labels.get(rule["key"]), rule.get("values") or ())
        for rule in selector.get("matchExpressions") or ()
    )


_OPERATORS: Final[Mapping[str, Callable[[str | None, Collection[str]], bool]]] = {
    "In": lambda value, values: value in values,
    "NotIn": lambda value, values: value not in values,
    "Exists": lambda value, values: value is not None,
    "DoesNotExist": lambda value, values: value is None,
}
