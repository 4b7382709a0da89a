"""The releases that are swept: what people do, and how each must end."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from .. import stateful
from ..acts import AUTOSCALER, ITERATIONS, MATCH, Act, acts, answers, autoscaled, opened
from ..scene import Object, Scene
from .acts import (
    DEADLINE,
    GATES,
    SCALED,
    application,
    deleted,
    impatient,
    initialized,
    push,
    push_stateful,
    recoloured,
    remarked,
    scaled,
    seen,
    service,
    statefulset,
)

SETTLED = ("Succeeded", "Failed")
PROMOTED = "Normal Promotion completed! Scaling down podinfo.$ns"
FAILED = "Warning Canary failed! Scaling down podinfo.$ns"
AFTER = "Normal Post-rollout check after passed"
FINISHED = "Canary analysis completed successfully, promotion finished."
NOT_READY = (
    'podinfo-primary.$ns not ready: deployment "podinfo-primary" exceeded its progress deadline'
)


@dataclass(frozen=True)
class End:
    """How a release ends."""

    phase: str
    """Empty: the Canary is gone."""
    events: tuple[str, ...]
    """Last events, in any order."""
    alert: str = ""
    """The last alert; may be left out where there is none."""
    runs: int = 1
    """Analyses that were begun until then."""
    survives: bool = True
    """Somebody announces it, whoever is killed; false: a crash may lose the announcement."""

    def reached(self, scene: Scene) -> bool:
        """It is over; perhaps with another phase."""
        if not self.phase:
            return _reverted(scene)
        status = scene.status()
        over = status.get("phase") in (self.phase, *SETTLED)
        told = not status.get("run", {}).get("unannounced")
        return over and told and _runs(scene.statuses()) >= self.runs

    def announced(self, scene: Scene) -> bool:
        """Everybody has heard of it."""
        told = set(self.events) <= set(scene.told())
        alerted = not self.alert or self.alert in scene.alerts()
        # Last, as the server is asked for it.
        return told and alerted and set(self.events) <= set(scene.kube_events())


@dataclass(frozen=True)
class Scenario:
    """A release."""

    name: str
    begin: Act
    """The application and its Canary."""
    act: Act
    """What people do then."""
    end: End

    def __str__(self) -> str:
        return self.name


def _reverted(scene: Scene) -> bool:
    """The Canary is gone, and everything that was its own."""
    if not scene.statuses() or scene.now("Canary.flagger.app/podinfo") is not None:
        return False
    left = scene.world.mirror.at(scene.namespace).values()
    return not any(_owned(body) for body in left)


def _owned(body: Object) -> bool:
    owners = body["metadata"].get("ownerReferences") or []
    return any(owner["kind"] == "Canary" for owner in owners)


def _runs(statuses: list[Object]) -> int:
    before, count = "", 0
    for status in statuses:
        phase = status.get("phase", "")
        count += phase == "Progressing" and before in ("Initialized", "Waiting", *SETTLED)
        before = phase
    return count


SUCCESS: Final = End("Succeeded", (PROMOTED, AFTER), FINISHED)
FAILURE: Final = End("Failed", (FAILED, AFTER), "Failed checks threshold reached 1")
BROKEN: Final = End(
    "Failed",
    (f"Warning Promotion of podinfo.$ns failed, primary not ready: {NOT_READY}", AFTER),
    f"Promotion failed, primary not ready: {NOT_READY}",
)
RELEASE: Final = acts(push("2"))


def _all() -> Iterable[Scenario]:
    yield Scenario(
        "init",
        application(),
        initialized,
        End(
            "Initialized",
            ("Normal Initialization done! podinfo.$ns",),
            "New Deployment detected, initialization completed.",
            runs=0,
            survives=False,
        ),
    )
    yield Scenario("promote", application(), acts(remarked, push("2")), SUCCESS)
    yield Scenario("metric-rollback", application(answers(50)), RELEASE, FAILURE)
    yield Scenario(
        "deadline-rollback",
        application(progressDeadlineSeconds=DEADLINE),
        acts(push("broken")),
        End("Failed", (FAILED, AFTER)),
    )
    yield Scenario(
        "hook-rollback",
        application(hooks=[("undo", "rollback", 403)]),
        acts(push("2"), seen(canaryWeight=25), opened("undo")),
        End("Failed", (FAILED, AFTER), "Rolling back manual webhook invoked"),
    )
    yield Scenario(
        "gate",
        application(hooks=GATES),
        acts(
            push("2"),
            seen(phase="Waiting"),
            opened("start"),
            seen(phase="Progressing"),
            opened("more"),
            seen(phase="WaitingPromotion"),
            opened("approve"),
        ),
        SUCCESS,
    )
    yield Scenario(
        "blue-green", application(provider="kubernetes", analysis=ITERATIONS), RELEASE, SUCCESS
    )
    yield Scenario(
        "ab", application(provider="istio", analysis=ITERATIONS | MATCH), RELEASE, SUCCESS
    )
    yield Scenario(
        "mirror", application(provider="istio", analysis={"mirror": True}), RELEASE, SUCCESS
    )
    yield Scenario("gateway", application(provider="gatewayapi:v1"), RELEASE, SUCCESS)
    yield Scenario(
        "skip-analysis",
        application(skipAnalysis=True),
        RELEASE,
        End(
            "Succeeded",
            ("Normal Promotion completed! Canary analysis was skipped for podinfo.$ns",),
            "Canary analysis was skipped, promotion finished.",
        ),
    )
    yield Scenario("config", application(), acts(recoloured), SUCCESS)
    yield Scenario(
        "new-revision",
        application(),
        acts(push("2"), seen(canaryWeight=25), push("3")),
        SUCCESS,
    )
    yield Scenario("failed-promotion", application(impatient), acts(push("primary-broken")), BROKEN)
    yield Scenario(
        "fix",
        application(impatient),
        acts(push("primary-broken"), seen(phase="Failed"), push("3")),
        End("Succeeded", (PROMOTED, AFTER), FINISHED, runs=2),
    )
    yield Scenario("hpa", application(autoscaled, autoscalerRef=AUTOSCALER), RELEASE, SUCCESS)
    yield Scenario("keda", application(scaled, autoscalerRef=SCALED), RELEASE, SUCCESS)
    yield Scenario(
        "statefulset",
        application(workload=statefulset, targetRef=stateful.REFERENCE, service=stateful.SERVICE),
        acts(push_stateful("2")),
        SUCCESS,
    )
    reverted = End("", ("Normal Terminated canary podinfo.$ns",))
    yield Scenario("revert", application(service, revertOnDeletion=True), acts(deleted), reverted)
    yield Scenario(
        "revert-in-run",
        application(service, revertOnDeletion=True),
        acts(push("2"), seen(canaryWeight=25), deleted),
        reverted,
    )


SCENARIOS: Final = {scenario.name: scenario for scenario in _all()}
