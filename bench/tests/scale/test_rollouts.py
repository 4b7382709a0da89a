"""What a controller sees of Deployments that are rolled out without pods."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

import pytest
from bench.scale import objects, rollouts
from bench.scale.objects import Member, Object
from bench.soak.virtual import VirtualLoop

from flagger_controller.cluster import resources
from flagger_controller.cluster.client import Ref
from flagger_controller.cluster.fake import FakeApi, Write

MEMBER = Member("ours-0", "app-0")
REF = Ref(resources.DEPLOYMENTS, MEMBER.name, MEMBER.namespace)
LATER = 10 * rollouts.STARTING
COUNTS = ("replicas", "updatedReplicas", "readyReplicas", "availableReplicas")


@contextlib.asynccontextmanager
async def rolling(api: FakeApi) -> AsyncIterator[None]:
    task = asyncio.create_task(rollouts.Rollouts(api).run())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def pushed(api: FakeApi, revision: int, replicas: int = 1) -> None:
    body = objects.deployment(MEMBER, revision)
    body["spec"]["replicas"] = replicas
    api.put(REF, {**(api.object(REF) or {}), **body})


def status(api: FakeApi) -> Object:
    body = api.object(REF)
    assert body is not None
    assert body["status"]["observedGeneration"] == body["metadata"]["generation"]
    told: Object = body["status"]
    return told


def counts(api: FakeApi) -> list[int]:
    return [status(api).get(name, 0) for name in COUNTS]


def test_each_change_is_rolled_out_and_old_pods_serve_until_then() -> None:
    async def play() -> None:
        api = FakeApi()
        seen: list[list[int]] = []

        def note(write: Write) -> None:
            seen.append(counts(api))

        async with rolling(api):
            pushed(api, 1)
            await asyncio.sleep(LATER)
            api.after_write(note)
            pushed(api, 2)
            await asyncio.sleep(LATER)
            pushed(api, 2, replicas=0)
            await asyncio.sleep(LATER)
        assert seen == [[1, 0, 1, 1], [1, 1, 1, 1], [0, 0, 0, 0]]

    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        runner.run(play())


def test_a_newer_revision_ends_the_rollout_of_the_one_before() -> None:
    async def play() -> None:
        api = FakeApi()
        async with rolling(api):
            pushed(api, 1)
            await asyncio.sleep(LATER)
            pushed(api, 2)
            await asyncio.sleep(rollouts.STARTING / 2)
            pushed(api, 3)
            await asyncio.sleep(rollouts.STARTING * 0.9)
            assert counts(api) == [1, 0, 1, 1]
            await asyncio.sleep(LATER)
            assert counts(api) == [1, 1, 1, 1]

    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        runner.run(play())


def test_a_deployment_that_goes_meanwhile_is_no_failure() -> None:
    async def play() -> None:
        api = FakeApi()
        gone: list[Ref] = []

        def delete_once(write: Write) -> None:
            if not gone:
                gone.append(write.ref)
                api.remove(write.ref)

        api.before_write(delete_once)
        async with rolling(api):
            pushed(api, 1)
            await asyncio.sleep(LATER)
            assert gone == [REF]
            pushed(api, 1)
            await asyncio.sleep(LATER)
            assert counts(api) == [1, 1, 1, 1]

    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        runner.run(play())


@pytest.mark.parametrize("ready", [False, True])
def test_conditions_are_those_of_a_rollout(ready: bool) -> None:
    told = rollouts.status({"replicas": 1}, 3, ready=ready)
    reasons = {each["type"]: each["reason"] for each in told["conditions"]}
    progress = "NewReplicaSetAvailable" if ready else "ReplicaSetUpdated"
    assert reasons == {"Available": "MinimumReplicasAvailable", "Progressing": progress}
