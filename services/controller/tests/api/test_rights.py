"""A right is missing: it is told with the rule that grants it, once, and harms nobody else.

When it is granted the release goes on by itself, and nothing of it was a failed check: every
Canary here fails for good at its first one.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from .account import NAME, Account, lines
from .process import Controller
from .scene import SUCCESS_RATE, Object, Scene, World, image

pytestmark = [pytest.mark.api, pytest.mark.timeout(600)]


@dataclass(frozen=True)
class Stage:
    """A controller under an account of its own."""

    scene: Scene
    account: Account
    controller: Controller

    def initialize(self, name: str, **spec: object) -> None:
        """An application under a Canary."""
        self.scene.deploy(name)
        self.scene.canary(name, **spec)
        self.scene.wait_phase("Initialized", name)

    def told(self, name: str, verb: str, group: str, resource: str) -> None:
        """Wait for the Warning; its only one is complete."""
        rule = f'apiGroups: ["{group}"], resources: ["{resource}"], verbs: ["{verb}"]'
        self.scene.wait_event(f"add to the controller's role: {rule}", name)
        (found,) = self.warnings(name)
        user = f'"system:serviceaccount:$ns:{NAME}"'
        assert found.startswith(f"Warning {resource}")
        assert f'is forbidden: User {user} cannot {verb} resource "{resource}"' in found
        assert f'in API group "{group}" in the namespace "$ns"' in found

    def warnings(self, name: str) -> dict[str, int]:
        """Warnings about rights, and how often each was said."""
        events = self.scene.kube_events(name)
        return {text: count for text, count in events.items() if "is forbidden" in text}

    def goes_on(self, name: str, phase: str) -> None:
        """Grant it, and see that nothing was lost."""
        self.account.restore()
        self.scene.wait_phase(phase, name)
        assert set(self.warnings(name).values()) == {1}
        assert [s for s in self.scene.statuses(name) if s.get("failedChecks")] == []

    def logged(self, **keys: str) -> list[Object]:
        """Lines of the log with these keys, without repetitions for those who debug."""
        every = [line for line in lines(self.controller.log) if line["level"] != "debug"]
        return [line for line in every if keys.items() <= line.items()]


@pytest.fixture(scope="module")
def shared(world: World) -> Iterator[Stage]:
    with world.scene("rights") as scene:
        account = Account(world, scene.namespace)
        with account.controller() as controller:
            yield Stage(scene, account, controller)


@pytest.fixture
def stage(shared: Stage) -> Iterator[Stage]:
    yield shared
    shared.account.restore()


def test_generated_services(stage: Stage) -> None:
    stage.account.revoke("", "services", "create")
    stage.scene.deploy("web")
    stage.scene.canary("web")
    stage.told("web", "create", "", "services")
    stage.goes_on("web", "Initialized")


def test_a_kind_that_may_not_be_watched_stops_only_those_who_refer_to_it(stage: Stage) -> None:
    stage.initialize("free")
    stage.account.revoke("autoscaling", "horizontalpodautoscalers", "list", "watch")
    stage.scene.deploy("scaled")
    stage.scene.canary("scaled", autoscalerRef=stage.scene.autoscale("scaled"))
    stage.told("scaled", "list", "autoscaling", "horizontalpodautoscalers")
    stage.scene.release("2", "free")
    stage.scene.wait_phase("Succeeded", "free")
    assert stage.scene.phase("scaled") in ("", "Initializing")
    stage.goes_on("scaled", "Initialized")
    told = stage.logged(error="forbidden", resource="horizontalpodautoscalers.autoscaling")
    assert [line["verb"] for line in told] == ["list", "list"], "the watch and the tick, once each"
    assert {line.get("canary") for line in told} == {None, f"scaled.{stage.scene.namespace}"}


def test_a_release_that_may_not_scale_its_target(stage: Stage) -> None:
    stage.initialize("shop")
    stage.account.revoke("apps", "deployments", "patch", "update")
    stage.scene.release("2", "shop")
    stage.told("shop", "patch", "apps", "deployments")
    stage.goes_on("shop", "Succeeded")
    assert image(stage.scene.now("Deployment/shop-primary")) == "2"


def test_credentials_of_a_metric_source(stage: Stage) -> None:
    scene = stage.scene
    secret = {"metadata": {"name": "login"}, "stringData": {"token": "abc"}}
    scene.create("v1", "Secret", secret)
    address = f"{scene.world.receivers.url}/prometheus"
    provider = {"type": "prometheus", "address": address, "secretRef": {"name": "login"}}
    template = {"metadata": {"name": "errors"}, "spec": {"provider": provider, "query": "errors"}}
    scene.create("flagger.app/v1beta1", "MetricTemplate", template)
    metric = {"name": "errors", "interval": "1m", "thresholdRange": {"max": 5}}
    metric |= {"templateRef": {"name": "errors"}}
    stage.initialize("metric", analysis={"metrics": [SUCCESS_RATE, metric]})
    stage.account.revoke("", "secrets", "get")
    scene.release("2", "metric")
    stage.told("metric", "get", "", "secrets")
    stage.goes_on("metric", "Succeeded")


def test_events_are_missed_and_nothing_else(stage: Stage) -> None:
    stage.initialize("quiet")
    stage.scene.wait_event("Initialization done!", "quiet")
    stage.account.revoke("", "events", "create", "patch")
    stage.scene.release("2", "quiet")
    stage.scene.wait_phase("Succeeded", "quiet")
    texts = "".join(stage.scene.kube_events("quiet"))
    assert "Initialization done!" in texts
    assert "New revision detected!" not in texts
    assert "Promotion completed!" not in texts
    (told,) = stage.logged(error="forbidden", resource="events")
    assert told["level"] == "error"
    assert 'resources: ["events"], verbs: ["' in told["msg"]
    stage.account.restore()
    stage.scene.release("3", "quiet")
    stage.scene.wait_event("New revision detected! Scaling up quiet.$ns", "quiet")
