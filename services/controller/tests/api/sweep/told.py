"""Was everything told, once, in order, and nothing else?"""

from collections import Counter
from collections.abc import Iterator
from functools import reduce
from itertools import groupby
from operator import or_

from .run import Run

WAITING = (" not ready: ", "all the metrics providers are available")
"""Parts of what is told again with each tick that waits for pods."""
REVISION = "New revision detected!"
"""Part of what begins an analysis anew."""


def end_is_told(run: Run) -> Iterator[str]:
    end, found = run.scenario.end, run.found
    least, most = (int(end.survives), 2) if run.killed else (1, 1)
    for text in end.events:
        if found.told.count(text) < least:
            yield f"the event webhook was not told {text!r}"
        if found.kube_events.get(text, 0) < least:
            yield f"there is no Event {text!r}"
    if end.alert and not least <= found.alerts.count(end.alert) <= most:
        yield f"{found.alerts.count(end.alert)} alerts {end.alert!r}"


def one_alert_a_transition(run: Run) -> Iterator[str]:
    if not run.killed:
        yield from _more_often(run.found.alerts, run.clean.alerts)


def told_once(run: Run) -> Iterator[str]:
    if not run.killed:
        yield from _more_often(without_waiting(run.found.told), run.clean.told)


def told_all(run: Run) -> Iterator[str]:
    """A process that goes on tells everything, whatever it had to try again."""
    found, clean = run.found, run.clean
    if not run.killed:
        missing = {*without_waiting(clean.told)} - {*found.told}
        missing |= {*clean.alerts} - {*found.alerts}
        yield from sorted(missing)


def _more_often(texts: list[str], usual: list[str]) -> Iterator[str]:
    """The texts that are said more often than in a clean run; new ones are not asked for here."""
    often = _often(usual)
    for text, count in _often(texts).items():
        if count > often[text] > 0:
            yield f"{count} times {text!r}"


def _often(texts: list[str]) -> Counter[str]:
    """How often each text is said, at the most, between two revisions.

    A controller that hears late of a new one goes on with the old one until then.
    """
    revisions = Counter(text for text in texts if REVISION in text)
    passages = (
        Counter(passage)
        for new, passage in groupby(texts, key=lambda text: REVISION in text)
        if not new
    )
    return reduce(or_, passages, revisions)


def nothing_else_is_told(run: Run) -> Iterator[str]:
    """Nothing new, in the usual order."""
    found, clean = run.found, run.clean
    usual = {*clean.told, *clean.kube_events, *clean.alerts, *run.extra}
    told = without_waiting(found.told)
    for text in sorted({*told, *without_waiting([*found.kube_events, *found.alerts])} - usual):
        yield repr(text)
    order = _steps(clean.told)
    # A killed process may have taken the first announcement of a text with it.
    steps = _steps(told)
    later = run.killed and _in_order(steps[::-1], order[::-1])
    if not (_in_order(steps, order) or later or run.raced):
        yield f"in another order: {told}"


def _steps(texts: list[str]) -> list[str]:
    """Texts without those that come when somebody pushes."""
    return [text for text in without_waiting(texts) if REVISION not in text]


def _in_order(texts: list[str], usual: list[str]) -> bool:
    """Do the texts appear for the first time in their usual order? New ones may be anywhere."""
    order = [text for text in dict.fromkeys(usual) if text in texts]
    return [text for text in dict.fromkeys(texts) if text in order] == order


def without_waiting(texts: list[str]) -> list[str]:
    """Texts without those that depend on how fast pods are."""
    return [text for text in texts if not any(part in text for part in WAITING)]
