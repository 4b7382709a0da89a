"""Start, stop and limits of the real process."""

import concurrent.futures
import pathlib
import signal
import subprocess
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest
import requests

from flagger_common import version

if TYPE_CHECKING:
    from .conftest import Service

Eventually = Callable[[Callable[[], object]], None]
Running = Callable[[pathlib.Path], bool]
HOLD = "until [ -e {0}/go ]; do sleep 0.02; done; echo done"


def run(*arguments: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "flagger_loadtester", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def test_bad_flags_end_with_2_and_usage() -> None:
    ended = run("-nope")
    assert ended.returncode == 2
    assert "Usage:" in ended.stderr


def test_help_ends_with_0() -> None:
    ended = run("-h")
    assert ended.returncode == 0
    assert "namespace-regexp" in ended.stdout


def test_the_first_and_the_last_words(serve: Callable[..., "Service"]) -> None:
    service = serve()
    port = service.url.rpartition(":")[2]
    assert service.stop() == 0
    messages = service.messages()
    assert messages[0] == f"Starting load tester v{version.__version__} API on port {port}"
    assert messages[-1] == "HTTP server stopped"


def test_the_content_type_of_curl_and_odd_paths(serve: Callable[..., "Service"]) -> None:
    service = serve("-namespace-regexp=^test$")
    for path in ("/", "/anything?x=1", "/gate/check/"):
        reply = service.post({"type": "bash", "cmd": "echo $((6*7))", "returnCmdOutput": "1"}, path)
        assert (reply.status_code, reply.text) == (200, "42\n")
    assert service.post({}, "/gate/open").status_code == 202
    reply = service.post({}, "/gate/check")
    assert (reply.status_code, reply.text) == (200, "Approved")
    head = requests.request("OPTIONS", service.url + "/gate/halt", timeout=60)
    assert (head.status_code, head.text) == (403, "Forbidden")
    large = requests.post(service.url, "x" * 300_000, timeout=60)
    assert large.status_code == 413


def test_the_same_load_runs_once_at_a_time(
    serve: Callable[..., "Service"], tmp_path: pathlib.Path, eventually: Eventually
) -> None:
    service = serve()
    command = f"echo run >> {tmp_path}/runs; {HOLD.format(tmp_path)}"
    for _ in range(3):
        assert service.post({"cmd": command}).status_code == 202
    skipped = f"command skipped {command} is already running"
    eventually(lambda: service.messages().count(skipped) == 2)
    (tmp_path / "go").touch()
    eventually(lambda: f"command finished {command}" in service.messages())
    assert (tmp_path / "runs").read_text() == "run\n"
    assert service.post({"cmd": command}).status_code == 202
    eventually(lambda: (tmp_path / "runs").read_text() == "run\nrun\n")


def test_a_task_ends_at_its_limit_with_all_its_children(
    serve: Callable[..., "Service"],
    tmp_path: pathlib.Path,
    running: Running,
    eventually: Eventually,
) -> None:
    service = serve("-timeout=1s")
    command = f"sleep 1000 & echo $! > {tmp_path}/child; wait"
    reply = service.post({"type": "bash", "cmd": command})
    assert (reply.status_code, reply.text) == (500, f"command {command} failed: : signal: killed")
    eventually(lambda: not running(tmp_path / "child"))


def test_sigterm_lets_requests_finish_and_ends_background_tasks(
    serve: Callable[..., "Service"],
    tmp_path: pathlib.Path,
    running: Running,
    eventually: Eventually,
) -> None:
    service = serve()
    service.post({"cmd": f"sleep 1000 >/dev/null & echo $! > {tmp_path}/child; wait"})
    service.post({"cmd": f"sleep 1000 >/dev/null 2>&1 & echo $! > {tmp_path}/left"})
    metadata = {
        "type": "bash",
        "cmd": f"touch {tmp_path}/begun; {HOLD.format(tmp_path)}",
        "returnCmdOutput": "true",
    }
    with concurrent.futures.ThreadPoolExecutor() as pool:
        reply = pool.submit(service.post, metadata)
        for name in ("begun", "child", "left"):
            eventually((tmp_path / name).exists)
        eventually(lambda: (tmp_path / "child").read_text() and (tmp_path / "left").read_text())
        service.process.send_signal(signal.SIGTERM)
        eventually(lambda: not service.answers())
        assert running(tmp_path / "left")
        (tmp_path / "go").touch()
        assert (reply.result(60).status_code, reply.result().text) == (200, "done\n")
    assert service.process.wait(60) == 0
    eventually(lambda: not running(tmp_path / "child"))
    eventually(lambda: not running(tmp_path / "left"))


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGINT])
def test_a_second_signal_ends_the_process_at_once(
    serve: Callable[..., "Service"],
    tmp_path: pathlib.Path,
    running: Running,
    eventually: Eventually,
    signum: int,
) -> None:
    service = serve()
    command = f"trap '' TERM; echo $$ > {tmp_path}/child; touch {tmp_path}/begun; exec sleep 1000"
    with concurrent.futures.ThreadPoolExecutor() as pool:
        pool.submit(service.post, {"type": "bash", "cmd": command})
        eventually((tmp_path / "begun").exists)
        service.process.send_signal(signum)
        eventually(lambda: not service.answers())
        assert running(tmp_path / "child")
        service.process.send_signal(signum)
        assert service.process.wait(60) == 1
    eventually(lambda: not running(tmp_path / "child"))


def test_draining_has_a_limit(
    serve: Callable[..., "Service"], tmp_path: pathlib.Path, eventually: Eventually
) -> None:
    service = serve("-shutdown-timeout=500ms")
    metadata = {"type": "bash", "cmd": f"touch {tmp_path}/begun; exec sleep 1000"}
    with concurrent.futures.ThreadPoolExecutor() as pool:
        reply = pool.submit(service.post, metadata)
        eventually((tmp_path / "begun").exists)
        assert service.stop() == 0
        assert reply.result(60).status_code == 500
        assert reply.result().text.endswith(": signal: killed")


def test_probes_are_answered_while_all_task_threads_are_busy(
    serve: Callable[..., "Service"], tmp_path: pathlib.Path, eventually: Eventually
) -> None:
    service = serve("-threads=10")
    with concurrent.futures.ThreadPoolExecutor() as pool:
        replies = []
        for number in range(2):
            command = f"touch {tmp_path}/begun{number}; {HOLD.format(tmp_path)}"
            replies.append(pool.submit(service.post, {"type": "bash", "cmd": command}))
            eventually((tmp_path / f"begun{number}").exists)
        assert service.answers()
        assert service.post({"type": "bash", "cmd": "true"}).status_code == 429
        assert 'flagger_loadtester_tasks_running{type="bash"} 2.0' in service.get("/metrics").text
        (tmp_path / "go").touch()
        assert [reply.result(60).status_code for reply in replies] == [200, 200]
