"""A bad Canary tells its owner why, once, and disturbs nobody else's; repaired, it goes on."""

import contextlib
import copy
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
import requests

from . import kinds
from .scene import FLAGGER, SUCCESS_RATE, Object, Scene, World, canary, condition

pytestmark = [pytest.mark.api, pytest.mark.timeout(600)]

CRD = f"{kinds.PATH}/canaries.flagger.app"
PROMOTED = "Normal Promotion completed! Scaling down podinfo.$ns"
TEMPLATE = {"name": "latency", "interval": "1m", "thresholdRange": {"max": 5}}


@dataclass(frozen=True)
class Case:
    """A mistake, what is said about it, and how it is put right."""

    name: str
    spec: Object
    texts: tuple[str, ...]
    """What event and condition contain: field and remedy."""
    repair: Callable[[Scene], object]
    blocked: bool = True
    """Nothing is done for it; otherwise it is served, with a warning."""
    old_schema: bool = False
    """It could only be stored while an older CRD was installed."""
    deployed: bool = True

    def __str__(self) -> str:
        return self.name


def spec(name: str, **changes: Any) -> Callable[[Scene], object]:
    """A repair of the spec."""
    return lambda scene: scene.patch(FLAGGER, "canaries", name, {"spec": changes})


def add_template(scene: Scene) -> object:
    provider = {"type": "prometheus", "address": f"{scene.world.receivers.url}/prometheus"}
    body = {"metadata": {"name": "latency"}, "spec": {"provider": provider, "query": "up"}}
    return scene.create(FLAGGER, "MetricTemplate", body)


CASES = (
    Case(
        "interval",
        {"analysis": {"interval": "soon"}},
        ('spec.analysis.interval "soon"', "as 30s or 1m30s are"),
        spec("interval", analysis={"interval": "1s"}),
        blocked=False,
        old_schema=True,
    ),
    Case(
        "missing",
        {},
        ("deployment missing.$ns", 'deployments.apps "missing" not found'),
        lambda scene: scene.deploy("missing"),
        deployed=False,
    ),
    Case(
        "template",
        {"analysis": {"metrics": [SUCCESS_RATE, {**TEMPLATE, "templateRef": {"name": "latency"}}]}},
        ("spec.analysis.metrics", "MetricTemplate latency.$ns does not exist: create it"),
        add_template,
        blocked=False,
    ),
    Case(
        "second",
        {"targetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "podinfo"}},
        ("spec.targetRef: Deployment podinfo.$ns is already under", "give it another target"),
        spec("second", targetRef={"name": "second"}),
    ),
    Case(
        "half",
        {"analysis": {"stepWeight": 0.5}},
        ("spec.analysis.stepWeight",),
        spec("half", analysis={"stepWeight": 25}),
        old_schema=True,
    ),
    Case(
        "provider",
        {"provider": "nobody"},
        ("nobody",),
        spec("provider", provider="traefik"),
        old_schema=True,
    ),
    Case(
        "stuck",
        {"analysis": {"stepWeight": None}},
        ("spec.analysis has no steps: set stepWeight, stepWeights or iterations above 0",),
        spec("stuck", analysis={"stepWeight": 25}),
        old_schema=True,
    ),
)


@contextlib.contextmanager
def older_schema(world: World) -> Iterator[None]:
    """A Canary CRD that accepts everything."""
    strict = world.api.get(CRD)["spec"]["versions"]
    loose = copy.deepcopy(strict)
    anything = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    loose[0]["schema"] = {"openAPIV3Schema": anything}
    world.api.patch(CRD, {"spec": {"versions": loose}})
    try:
        _await_schema(world, strict=False)
        yield
    finally:
        world.api.patch(CRD, {"spec": {"versions": strict}})
        _await_schema(world, strict=True)


def _await_schema(world: World, *, strict: bool) -> None:
    """Wait until the API server judges by the schema."""
    body = canary("probe", analysis={"interval": "soon"})
    document = {"apiVersion": FLAGGER, "kind": "Canary", **body}
    deadline = time.monotonic() + 60
    while True:
        code = 201
        try:
            path = f"/apis/{FLAGGER}/namespaces/default/canaries?dryRun=All"
            world.api.create(path, document)
        except requests.HTTPError as error:
            code = error.response.status_code
        if code == (422 if strict else 201):
            return
        assert time.monotonic() < deadline, f"the schema is not in force: {code}"
        time.sleep(0.2)


@dataclass
class Seen:
    """What was there before the repairs, and after them."""

    scene: Scene
    before: dict[str, Object]
    """Status by Canary."""
    warnings: dict[str, dict[str, int]]
    """Warning events by Canary, and how often each was said."""


def _warnings(scene: Scene, name: str) -> dict[str, int]:
    events = scene.kube_events(name).items()
    return {text: n for text, n in events if text.startswith("Warning")}


@pytest.fixture(scope="module")
def seen(world: World) -> Iterator[Seen]:
    with world.scene("bad") as scene, world.controller(namespace=scene.namespace):
        scene.deploy()
        scene.canary()
        for case in CASES:
            if case.deployed:
                scene.deploy(case.name)
        with older_schema(world):
            for case in CASES:
                if case.old_schema:
                    scene.canary(case.name, **copy.deepcopy(case.spec))
        for case in CASES:
            if not case.old_schema:
                scene.canary(case.name, **copy.deepcopy(case.spec))
        for case in CASES:
            scene.wait(lambda: condition(scene.status(case.name), "Ready"), case.name)  # noqa: B023
        scene.wait_phase("Initialized")
        scene.release("2")
        scene.wait_phase("Succeeded")
        scene.wait_told(PROMOTED)
        found = Seen(
            scene,
            {case.name: scene.status(case.name) for case in CASES},
            {case.name: _warnings(scene, case.name) for case in CASES},
        )
        for case in CASES:
            case.repair(scene)
        yield found


def test_the_good_one_beside_them_is_not_disturbed(seen: Seen) -> None:
    told = [text for text in seen.scene.told() if " not ready: " not in text]
    assert [text for text in told if text.startswith("Warning")] == []
    assert told[-1] == PROMOTED


@pytest.mark.parametrize("case", CASES, ids=str)
def test_one_event_names_field_and_remedy(seen: Seen, case: Case) -> None:
    warnings = seen.warnings[case.name]
    matching = {t: n for t, n in warnings.items() if all(text in t for text in case.texts)}
    assert list(matching.values()) == [1], warnings
    if case.blocked:
        assert warnings == matching


@pytest.mark.parametrize("case", CASES, ids=str)
def test_a_condition_says_the_same(seen: Seen, case: Case) -> None:
    found = condition(seen.before[case.name], "Ready")
    assert found is not None
    status = ("False", "Blocked") if case.blocked else ("True", "Warning")
    assert (found["status"], found["reason"]) == status
    message = found["message"].replace(seen.scene.namespace, "$ns")
    assert all(text in message for text in case.texts)
    assert f"Warning {message}" in seen.warnings[case.name]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_repaired_it_goes_on(seen: Seen, case: Case) -> None:
    scene = seen.scene
    scene.wait(
        lambda: (
            scene.phase(case.name) == "Initialized"
            and condition(scene.status(case.name), "Ready") is None
        ),
        f"{case.name} to go on: {scene.status(case.name)}",
    )


def test_an_unknown_provider_by_flag(world: World) -> None:
    with (
        world.scene("flag") as scene,
        world.controller("-mesh-provider=nobody", namespace=scene.namespace),
    ):
        scene.deploy()
        scene.deploy("other")
        scene.canary()
        scene.canary("other", provider="traefik")
        scene.wait(lambda: condition(scene.status(), "Ready"), "a condition")
        found = condition(scene.status(), "Ready")
        assert found is not None
        assert found["status"] == "False"
        assert "nobody" in found["message"]
        scene.wait_event("nobody")
        scene.wait_phase("Initialized", "other")
        assert list(_warnings(scene, "podinfo").values()) == [1]
