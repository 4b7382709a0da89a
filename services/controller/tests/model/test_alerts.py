"""Alerts of a process that is killed: the end of a release is told at least once."""

from typing import Any

import pytest
from pytest_httpserver import HTTPServer

from flagger_controller import net
from flagger_controller.api.status import Phase
from flagger_controller.cluster.client import Ref
from flagger_controller.cluster.fake import Killed, Write

from .stage import Stage
from .targets import NAMESPACE

REACHED = "Failed checks threshold reached 1"


def prepare(stage: Stage, server: HTTPServer) -> list[Any]:
    """A receiver, and a hook that fails every check; the entries of `alerts`."""
    server.expect_request("/alerts").respond_with_data("")
    server.expect_request("/check").respond_with_data("no", status=400)
    return [stage.provider("own", type="webhook", address=server.url_for("/alerts"))]


def failures(server: HTTPServer) -> list[Any]:
    bodies = [request.get_json() for request, _ in server.log if request.path == "/alerts"]
    return [body for body in bodies if body["message"] == REACHED]


@pytest.mark.timeout(240)
@pytest.mark.parametrize("applied", [False, True], ids=["before", "after"])
async def test_whoever_is_killed_the_failure_is_told(httpserver: HTTPServer, applied: bool) -> None:
    """Right before the end is recorded it is told again, with the same id; after it never."""

    def kill(write: Write) -> None:
        run = write.body.get("status", {}).get("run", {})
        if run.get("unannounced", True) is None:  # the end is recorded as told
            raise Killed

    async with net.Http() as http:
        async with Stage(http) as stage:
            hook = {"name": "check", "type": "rollout", "url": httpserver.url_for("/check")}
            alerts = prepare(stage, httpserver)
            ref: Ref = stage.deploy(NAMESPACE, webhooks=[hook], alerts=alerts)
            await stage.until(Phase.INITIALIZED, ref)
            stage.push(NAMESPACE, "2")
            spoil = stage.api.after_write if applied else stage.api.before_write
            mend = spoil(kill)
            with pytest.raises(Killed):
                await stage.until(Phase.FAILED, ref)
            mend()
        async with Stage(http, api=stage.api) as following:
            prepare(following, httpserver)
            await following.until(Phase.FAILED, ref)
            await following.engine.work(f"{ref.name}.{NAMESPACE}")
    told = failures(httpserver)
    assert len(told) == (1 if applied else 2)
    assert {body["severity"] for body in told} == {"error"}
    assert len({body["id"] for body in told}) == 1
