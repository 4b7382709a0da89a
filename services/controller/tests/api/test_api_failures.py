"""Answers of an API server in trouble: each is told apart, tried again, and no failed check."""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from .account import lines
from .faults import Fault
from .proxy import FaultProxy
from .scene import Object, Scene, World

pytestmark = [pytest.mark.api, pytest.mark.timeout(600)]

STATUS = "PATCH canaries/podinfo/status"
ROUTE = "PUT traefikservices/podinfo"
CALLS = {
    ("patch", "canaries.flagger.app/status", "podinfo"),
    ("update", "traefikservices.traefik.io", "podinfo"),
}
FAULTS = (Fault.CONFLICT, Fault.BUSY, Fault.ERROR, Fault.TIMEOUT)


@dataclass(frozen=True)
class Release:
    """One that met all of them, each at a write of the status and at one of the route."""

    scene: Scene
    log: list[Object]

    def logged(self, error: str) -> list[Object]:
        return [line for line in self.log if line.get("error") == error]


@pytest.fixture(scope="module")
def release(world: World) -> Iterator[Release]:
    with world.scene("trouble") as scene, FaultProxy(world.plane) as proxy:
        flags = ("-master", proxy.url)
        with world.controller(*flags, namespace=scene.namespace) as controller:
            scene.deploy()
            scene.canary(analysis={"stepWeight": 5})
            scene.wait_phase("Initialized")
            scene.release("2")
            scene.wait_status(canaryWeight=5)
            for what, fault in itertools.product((STATUS, ROUTE), FAULTS):
                proxy.plan(proxy.next(what), fault)
                assert proxy.struck.wait(60), f"{what} never came"
            scene.wait_phase("Succeeded")
            yield Release(scene, lines(controller.log))


def test_no_check_has_failed(release: Release) -> None:
    assert [status for status in release.scene.statuses() if status.get("failedChecks")] == []


def test_no_weight_was_skipped(release: Release) -> None:
    weights = [status.get("canaryWeight", 0) for status in release.scene.statuses()]
    assert [weight for weight, _ in itertools.groupby(weights)] == [0, *range(5, 55, 5), 0]


def test_conflicts_are_for_those_who_debug(release: Release) -> None:
    assert {line["level"] for line in release.logged("conflict")} == {"debug"}


def test_a_timeout_names_the_call_and_the_time(release: Release) -> None:
    told = release.logged("timeout")
    assert {(line["verb"], line["resource"], line["object"]) for line in told} == CALLS
    assert all("no answer from the API server within 10 s" in line["msg"] for line in told)


def test_a_failure_of_the_server_names_the_call(release: Release) -> None:
    told = release.logged("unavailable")
    assert {(line["verb"], line["resource"], line["object"]) for line in told} == CALLS
    assert {line["code"] for line in told} == {500}
    assert {line["level"] for line in told} <= {"debug", "info", "warn"}


def test_a_server_that_asks_for_patience_is_nothing_to_tell(release: Release) -> None:
    assert release.logged("busy") == []


def test_nothing_of_it_is_an_event(release: Release) -> None:
    assert [text for text in release.scene.kube_events() if "the test refuses" in text] == []
