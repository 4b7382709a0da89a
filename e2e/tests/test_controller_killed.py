"""Killing the controller in every phase of a release changes nothing in what comes out."""

import dataclasses
import queue
import threading
from types import TracebackType
from typing import Any, Self

import pytest

from e2e.suite import access, gates, history, killing, kube, load, names, podinfo, wait
from e2e.suite.namespaces import Maker
from e2e.tests import expected

CHANGING = (
    *("lastTransitionTime", "conditions", "run", "trackedConfigs", "failedChecks", "checks"),
)
"""Fields of a status with times or measured values, or of no interest here.

A controller that dies before it moves the route moves it when it is back, perhaps a moment before
the next check: there may be no samples yet, and the check fails.
"""


@dataclasses.dataclass(frozen=True)
class Outcome:
    """What a release left behind."""

    events: list[str]
    status: dict[str, Any]
    promoted: str
    """Status of the condition."""
    version: str
    weights: dict[str, int]
    replicas: int


@dataclasses.dataclass(frozen=True)
class Moments:
    """When the controller is killed."""

    names: tuple[str, ...] = ()
    """States as History writes them, or words of Events."""
    heard: bool = False
    """They are words of Events: the controller has told what it did. Else it dies as soon as the
    new status is there, and may have done nothing yet of what follows from it."""

    failures: bool = False
    """States with different numbers of failed checks are different moments."""

    def name(self, state: history.State) -> str:
        return str(state if self.failures else dataclasses.replace(state, failed=0))

    def matches(self, moment: str, text: str) -> bool:
        return moment in text if self.heard else moment == text


NEVER = Moments()
GOOD = (
    Moments(
        (
            "Initializing",
            "Progressing",
            "Progressing weight 20",
            "Progressing weight 40",
            "WaitingPromotion weight 40",
            "WaitingPromotion weight 40 promote",
            "Promoting weight 40",
            "Promoting weight 40 finalise",
            "Finalising",
            "Succeeded",
        )
    ),
    Moments(
        (
            "metrics providers are available",
            "Scaling up",
            "canary weight 20",
            "canary weight 40",
            "waiting for promotion approval",
            "Copying",
            expected.TO_PRIMARY,
            "Promotion completed!",
        ),
        heard=True,
    ),
)
BAD = (
    Moments(
        (
            "Progressing",
            "Progressing weight 20",
            "Progressing weight 20 failed 1",
            "Progressing weight 20 failed 2",
            "Progressing weight 20 failed 2 rollback",
            "Failed",
        ),
        failures=True,
    ),
    Moments(
        (
            "Scaling up",
            "canary weight 20",
            "Halt",
            "threshold reached",
            "Canary failed!",
        ),
        heard=True,
    ),
)
RATE = "advancement success rate"
"""With a number that is never twice the same."""
MODES = ("when it is written", "when it is told")


class Killer:
    """Kills the controller the first time that each moment comes. Use as a context manager."""

    def __init__(self, api: kube.Kube, past: history.History, moments: Moments) -> None:
        self.killed: list[str] = []
        self._api = api
        self._moments = moments
        self._due: queue.Queue[str] = queue.Queue()
        self._thread = threading.Thread(target=self._run, daemon=True)
        if moments.heard:
            past.hear(self._came)
        else:
            past.listen(lambda state: self._came(moments.name(state)))

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._due.put("")
        self._thread.join()

    def _came(self, text: str) -> None:
        for moment in self._moments.names:
            if self._moments.matches(moment, text) and moment not in self.killed:
                self.killed.append(moment)
                self._due.put(moment)

    def _run(self) -> None:
        while self._due.get():
            killing.controller(self._api)


def alive(api: kube.Kube) -> None:
    """Wait until a controller runs again."""
    wait.until(
        "a new controller",
        lambda: kube.rolled_out(api.find("Deployment", names.CONTROLLER, names.SYSTEM)),
    )


def outcome(app: podinfo.App, past: history.History) -> Outcome:
    status = app.api.get("Canary", podinfo.NAME, app.namespace)["status"]
    conditions = {condition["type"]: condition for condition in status["conditions"]}
    return Outcome(
        events=[t for t in expected.essential(past.texts(), app.namespace) if RATE not in t],
        status={key: value for key, value in status.items() if key not in CHANGING},
        promoted=conditions["Promoted"]["status"],
        version=app.version(),
        weights=app.weights(),
        replicas=app.replicas(),
    )


def promote(
    app: podinfo.App, past: history.History, reach: access.Access, moments: Moments
) -> Outcome:
    """Release a good version, with the controller killed at some moments."""
    app.deploy()
    app.route()
    with Killer(app.api, past, moments) as killer:
        webhooks = [podinfo.gate("confirm-promotion")]
        app.canary(podinfo.analysis(stepWeight=20, maxWeight=40, threshold=10, webhooks=webhooks))
        app.bootstrap(past)
        with load.Load(app.address) as clients:
            app.release("2.0.0")
            past.phase("WaitingPromotion", seconds=300, never=("Failed",))
            alive(app.api)
            gates.change(reach, app.namespace, "open")
            podinfo.promoted(past, 0)
            app.serves("2.0.0")
            alive(app.api)
    assert clients.failures() == []
    assert tuple(killer.killed) == moments.names
    return outcome(app, past)


def roll_back(app: podinfo.App, past: history.History, moments: Moments) -> Outcome:
    """Release a bad version, with the controller killed at some moments."""
    app.deploy()
    app.route()
    with Killer(app.api, past, moments) as killer:
        app.canary(podinfo.analysis(stepWeight=20, maxWeight=40, threshold=2))
        app.bootstrap(past)
        with load.Load(app.address) as clients:
            app.release("2.0.0", PODINFO_FAIL="500", PODINFO_FAIL_RATE="0.5")
            podinfo.rolled_back(past, 0)
            alive(app.api)
            app.serves(podinfo.FIRST)
    assert {answer.version for answer in clients.failures()} == {"2.0.0"}
    assert tuple(killer.killed) == moments.names
    return outcome(app, past)


def compare(killed: Outcome, clean: Outcome, moments: Moments) -> None:
    """Everything is the same; what was not yet told when the controller died may stay untold.

    Only the end of a release is told whatever happens (architecture.md 2.1, step 8).
    """
    told = dataclasses.replace(killed, events=clean.events)
    assert told == clean
    if moments.heard:
        assert killed.events == clean.events
    assert killed.events == [text for text in clean.events if text in killed.events]
    assert killed.events[-1] == clean.events[-1]


@pytest.mark.parametrize("moments", GOOD, ids=MODES)
def test_nothing_changes_for_a_good_release(
    make: Maker, reach: access.Access, moments: Moments
) -> None:
    clean = promote(*make(), reach, NEVER)
    killed = promote(*make(), reach, moments)
    compare(killed, clean, moments)
    assert clean.status["phase"] == "Succeeded"
    assert clean.events[-1] == expected.COMPLETED


@pytest.mark.parametrize("moments", BAD, ids=MODES)
def test_nothing_changes_for_a_bad_release(make: Maker, moments: Moments) -> None:
    clean = roll_back(*make(), NEVER)
    killed = roll_back(*make(), moments)
    compare(killed, clean, moments)
    assert clean.status["phase"] == "Failed"
    assert clean.events[-1] == expected.FAILED
