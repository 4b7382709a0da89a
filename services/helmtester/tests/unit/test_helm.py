"""Running a program: output, exit codes, time limit, processes left behind."""

import os
import pathlib
import signal
import threading
from collections.abc import Callable
from typing import Any

import pytest

from flagger_helmtester import helm

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
        ({"signal": signal.SIGUSR1}, helm.Outcome("", "signal: signal 10")),
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
    assert build(limit=3.0).run(["test"]) == helm.Outcome("so far", "signal: killed")
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
    assert f"[{300_002 - helm.OUTPUT_BYTES} bytes left out]" in output
    assert len(output) < helm.OUTPUT_BYTES + 100


@pytest.mark.parametrize("size", [0, 1, 9, 10, 11, 30])
@pytest.mark.parametrize("chunk", [1, 3, 30])
def test_nothing_is_left_out_of_short_output(size: int, chunk: int) -> None:
    text = "abcdefghijklmnopqrstuvwxyz0123"[:size]
    kept = helm.Bounded(10)
    for start in range(0, size, chunk):
        kept.add(text[start : start + chunk].encode())
    if size <= 10:
        assert kept.text() == text
    else:
        assert kept.text() == f"{text[:5]}\n[{size - 10} bytes left out]\n{text[-5:]}"


def test_a_missing_program_is_a_failure(tmp_path: pathlib.Path) -> None:
    missing = 'exec: "helm": executable file not found in $PATH'
    program = helm.Helm("helm", tmp_path / "home", 1.0, {"PATH": str(tmp_path)})
    assert program.run(["test"]) == helm.Outcome("", missing)
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
    runner.join(60)
    assert outcomes == [helm.Outcome("", "signal: terminated")]
    assert program.run(["test"]) == helm.Outcome("", "signal: terminated")
    assert len(fake.calls()) == 1
