"""Running a program: output, exit codes, time limit, processes left behind."""

import os
import pathlib
import signal
import threading
from collections.abc import Callable
from typing import Any

import pytest

from flagger_helmtester import helm, outcome

Until = Callable[[str, Callable[[], bool]], None]
Build = Callable[..., helm.Helm]


@pytest.fixture
def build(fake: Any, tmp_path: pathlib.Path) -> Build:
    def build(limit: float = 60.0, grace: float = 10.0, **environ: str) -> helm.Helm:
        environ.setdefault("PATH", os.environ["PATH"])
        return helm.Helm(fake.path, tmp_path / "home", limit, environ, grace)

    return build


def gone(pid: int) -> bool:
    """Say whether a process has ended; a zombie has."""
    try:
        return pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except (FileNotFoundError, ProcessLookupError):
        return True


@pytest.mark.parametrize(
    ("plan", "expected"),
    [
        ({"output": "fine\n"}, helm.Outcome("fine\n")),
        ({"output": "a", "errors": "b", "code": 3}, helm.Outcome("ab", "exit status 3")),
        ({"signal": signal.SIGKILL}, helm.Outcome("", "signal: killed")),
        ({"signal": signal.SIGTERM}, helm.Outcome("", "signal: terminated")),
        ({"signal": signal.SIGUSR1}, helm.Outcome("", "signal: user defined signal 1")),
        ({"output": "\x1b[1;31mred\x1b[0m \x1b]0;title\x07end"}, helm.Outcome("red end")),
    ],
)
def test_a_run_ends_with_output_and_reason(
    fake: Any, build: Build, plan: dict[str, Any], expected: helm.Outcome
) -> None:
    fake.plan(**plan)
    assert build().run(["test", "podinfo"]) == expected
    assert [call["argv"] for call in fake.calls()] == [["test", "podinfo"]]


def test_helm_gets_a_small_environment(fake: Any, build: Build, tmp_path: pathlib.Path) -> None:
    build(KUBECONFIG="/x", AWS_SECRET_ACCESS_KEY="s", HELM_NAMESPACE="other").run(["test"])
    env = fake.calls()[0]["env"]
    assert env["KUBECONFIG"] == "/x"
    assert env["HOME"] == str(tmp_path / "home")
    assert env["HELM_PLUGINS"] == str(tmp_path / "home" / "plugins")
    assert list((tmp_path / "home" / "plugins").iterdir()) == []
    names = {name for name in env if not name.startswith(("HELM_", "LC_", "_"))}
    assert names <= {"PATH", "KUBECONFIG", "HOME"}
    assert "HELM_NAMESPACE" not in env


def test_the_time_limit_ends_the_whole_group(fake: Any, build: Build, until: Until) -> None:
    fake.plan(wait=True, output="so far", child=True)
    assert build(limit=3.0).run(["test"]) == helm.Outcome("so far", "signal: killed", helm.End.TIME)
    (call,) = fake.calls()
    until("helm and its child are gone", lambda: gone(call["pid"]) and gone(call["child"]))


def test_who_ignores_the_polite_end_is_killed(fake: Any, build: Build, until: Until) -> None:
    fake.plan(wait=True, stubborn=True)
    outcome = build(limit=3.0, grace=0.1).run(["test"])
    assert outcome.reason == "signal: killed"
    until("helm is gone", lambda: gone(fake.calls()[0]["pid"]))


def test_a_child_left_behind_does_not_hold_up_the_answer(
    fake: Any, build: Build, until: Until
) -> None:
    fake.plan(child=True, output="done")
    assert build().run(["test"]) == helm.Outcome("done")
    until("the child is gone", lambda: gone(fake.calls()[0]["child"]))


def test_output_is_bounded(fake: Any, build: Build) -> None:
    fake.plan(output="<" + "x" * 300_000 + ">")
    output = build().run(["test"]).output
    assert output.startswith("<xxx")
    assert output.endswith("xxx>")
    assert f"\n... {300_002 - outcome.OUTPUT_BYTES} bytes left out ...\n" in output
    assert len(output) < outcome.OUTPUT_BYTES + 100


def test_a_missing_program_is_a_failure(tmp_path: pathlib.Path) -> None:
    missing = 'exec: "helm": executable file not found in $PATH'
    program = helm.Helm("helm", tmp_path / "home", 1.0, {"PATH": str(tmp_path)})
    assert program.run(["test"]) == helm.Outcome("", missing, helm.End.NO_START)
    assert program.available() == missing
    path = str(tmp_path / "helm")
    program = helm.Helm(path, tmp_path / "home", 1.0, {})
    assert program.run(["test"]).reason == f"fork/exec {path}: no such file or directory"
    assert program.available() is not None


def test_a_program_that_is_there_is_available(build: Build) -> None:
    assert build().available() is None


def test_stopping_ends_what_runs_and_starts_nothing_more(
    fake: Any, build: Build, until: Until
) -> None:
    fake.plan(wait=True)
    program = build()
    outcomes: list[helm.Outcome] = []
    runner = threading.Thread(target=lambda: outcomes.append(program.run(["test"])))
    runner.start()
    until("helm runs", lambda: bool(fake.calls()))
    program.stop_all()
    assert gone(fake.calls()[0]["pid"])
    runner.join(60)
    stopped = helm.Outcome("", "signal: terminated", helm.End.STOP)
    assert outcomes == [stopped]
    assert program.run(["test"]) == stopped
    with pytest.raises(OSError, match="helm status: signal: terminated"):
        program.query(["status"])
    assert len(fake.calls()) == 1
    assert fake.queries() == []


def test_a_run_that_nobody_wants_any_more_is_stopped(fake: Any, build: Build, until: Until) -> None:
    fake.plan(wait=True, child=True)
    outcome = build().run(["test"], lambda: not fake.calls())
    assert outcome == helm.Outcome("", "signal: terminated", helm.End.STOP)
    (call,) = fake.calls()
    until("helm and its child are gone", lambda: gone(call["pid"]) and gone(call["child"]))
    assert build().run(["test"], lambda: False).end is helm.End.STOP
    assert len(fake.calls()) == 1


def test_a_run_has_limits(fake: Any, build: Build, until: Until) -> None:
    fake.plan(wait=True)
    runner = threading.Thread(target=build().run, args=(["test"],))
    runner.start()
    try:
        until("helm runs", lambda: bool(fake.calls()))
        limits = pathlib.Path(f"/proc/{fake.calls()[0]['pid']}/limits").read_text()
    finally:
        fake.go()
        runner.join(60)
    fields = {line[:26].strip(): line[26:].split()[1] for line in limits.splitlines()}
    assert (fields["Max core file size"], fields["Max file size"]) == ("0", str(64 << 20))
    assert fields["Max open files"] == "1024"


def test_a_question_has_its_answer_without_warnings(fake: Any, build: Build) -> None:
    fake.plan(status={"version": 3}, errors="WARNING: a file is readable by the group")
    assert build().query(["status", "podinfo"]) == '{"version": 3}'
    fake.plan(status=None)
    with pytest.raises(OSError, match="helm status: exit status 1"):
        build().query(["status", "podinfo"])
    assert [query["argv"] for query in fake.queries()] == [["status", "podinfo"]] * 2


def test_the_directory_of_plugins_cannot_be_written_to(
    build: Build, tmp_path: pathlib.Path
) -> None:
    build()
    assert (tmp_path / "home" / "plugins").stat().st_mode & 0o777 == 0o555
