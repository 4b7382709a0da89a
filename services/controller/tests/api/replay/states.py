"""What the objects of a scenario looked like while each status was there.

A recording shows one settled state for each status. When objects follow their status depends on
the machine, so no moment is guessed here: a state that the recording shows must have been there at
some revision while its status was, and each is compared with the one chosen before it.
"""

import itertools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from .mirror import History, Object
from .normal import Words, anonymous, at, difference, is_between, plain, shown, status_line

CANARY = "Canary.flagger.app/podinfo"
INITIALIZATION = "initialization"
_STARTING = ("phase=Initializing ", "phase=Initialized ")


@dataclass
class Window:
    """The time of one status."""

    at: str
    states: list[Object]
    """What all objects were, by recording name, in order; the first as the status was written."""


def windows(histories: Iterable[tuple[str, History]]) -> list[Window]:
    """The windows of a scenario; the first is the time before it had a Canary.

    Those of the initialization are one: what it does when depends on pods.
    """
    words, hashes, users, last = Words(), Words(), set[str](), ""
    found = [Window("", [{}])]
    for key, body in in_order(histories):
        state = found[-1].states[-1]
        if key == CANARY:
            if not users:
                users = set(state)
                found.append(Window(INITIALIZATION, [state]))
            status = (body or {}).get("status")
            line = status_line(status, hashes) if status and not is_between(status) else last
            if line != last and not line.startswith(_STARTING):
                found.append(Window(at(line), [state]))
            last = line
            continue
        now = shown(key, plain(body, words), users=not users or key in users) if body else None
        if now != state.get(key):
            rest = {other: value for other, value in state.items() if other != key}
            found[-1].states.append(rest if now is None else {**rest, key: now})
    return found


def in_order(histories: Iterable[tuple[str, History]]) -> Iterator[tuple[str, Object | None]]:
    """All changes of a scenario as they happened, over all kinds."""
    changes = [(revision, key, body) for key, known in histories for revision, body in known]
    changes.sort(key=lambda change: change[0])
    for _, key, body in changes:
        if "kube-root-ca" not in key:
            yield key, body


def snapshots(found: list[Window], expected: list[Object]) -> list[Object]:
    """One state for each status as the difference from the one before: the expected, if there."""
    before, *rest = found
    chosen, result = before.states[-1], []
    for window, wanted in itertools.zip_longest(rest, expected):
        if window is None:
            break
        changes = [(state, anonymous(difference(chosen, state))) for state in window.states]
        fits = (change for change in changes if wanted and change[1] == wanted["changes"])
        chosen, shown_ = next(fits, changes[-1])
        result.append({"at": window.at, "changes": shown_})
    return result


def merged(recorded: list[Object]) -> list[Object]:
    """Snapshots of a recording with those of the initialization in one."""
    start = [item for item in recorded if item["at"].startswith(_STARTING)]
    rest = [item for item in recorded if not item["at"].startswith(_STARTING)]
    changes: Object = {}
    for item in start:
        changes = _over(changes, item["changes"])
    return [{"at": INITIALIZATION, "changes": changes}, *rest]


def _over(before: Object, changes: Object) -> Object:
    result = dict(before)
    for key, value in changes.items():
        old = result.get(key)
        if isinstance(old, dict) and isinstance(value, dict):
            value = _over(old, value)
        result[key] = value
    return result
