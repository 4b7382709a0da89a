"""Joined and waiting tasks of the real process."""

import concurrent.futures
import pathlib
from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest
import requests

if TYPE_CHECKING:
    from .conftest import Service

Eventually = Callable[[Callable[[], object]], None]


def test_a_joined_task_goes_on_when_the_first_client_is_gone(
    serve: Callable[..., "Service"], tmp_path: pathlib.Path, eventually: Eventually
) -> None:
    service = serve("-allow-shell", mode="-compat=false")
    command = f"echo run >> {tmp_path}/runs; until [ -e {tmp_path}/go ]; do sleep 0.02; done"
    metadata = {"type": "bash", "cmd": command}
    with pytest.raises(requests.ReadTimeout):
        service.post(metadata, seconds=1)
    eventually((tmp_path / "runs").exists)
    with concurrent.futures.ThreadPoolExecutor() as pool:
        joined = pool.submit(service.post, metadata)
        text = 'flagger_loadtester_tasks_joined_total{type="bash"} 1.0'
        eventually(lambda: text in service.get("/metrics").text)
        (tmp_path / "go").touch()
        assert joined.result(60).status_code == 200
    assert (tmp_path / "runs").read_text() == "run\n"


def test_sigterm_cancels_what_waits(
    serve: Callable[..., "Service"], tmp_path: pathlib.Path, eventually: Eventually
) -> None:
    service = serve("-max-background=1", "-queue-size=1")
    service.post({"cmd": f"touch {tmp_path}/begun; exec sleep 1000"})
    eventually((tmp_path / "begun").exists)
    waiting = f"touch {tmp_path}/never"
    number = service.post({"cmd": waiting}).headers["X-Flagger-Task"]
    assert service.get(f"/api/v1/tasks/{number}").json()["state"] == "queued"
    assert service.post({"cmd": "true"}).status_code == 429
    assert service.stop() == 0
    assert f"command cancelled {waiting}: shutting down" in service.messages()
    assert not (tmp_path / "never").exists()
