"""Real commands: results in upstream's words, limits for the whole process group."""

import os
import pathlib
import signal
from collections.abc import Callable

import pytest

from flagger_common import process
from flagger_common.confinement import Confinement
from flagger_common.plan import Plan

LONG = 1_000.0


def forever() -> float:
    return LONG


def run(
    *argv: str,
    remaining: process.Remaining = forever,
    grace: float = 1.0,
    kept: Confinement | None = None,
) -> process.Ended:
    return process.execute(Plan.of(argv), remaining, 1024, grace, kept)


@pytest.mark.parametrize(
    ("command", "output", "reason"),
    [
        ("", "", ""),
        ("true", "", ""),
        ("false", "", "exit status 1"),
        ("echo hi; exit 3", "hi\n", "exit status 3"),
        ("echo out; echo err >&2", "out\nerr\n", ""),
        ("cat", "", ""),
        ("kill -SEGV $$", "", "signal: segmentation fault"),
        ("kill -9 $$", "", "signal: killed"),
        ("exec >&- 2>&-; exit 4", "", "exit status 4"),
    ],
)
def test_results_are_upstreams(command: str, output: str, reason: str) -> None:
    outcome = run("bash", "-c", command)
    assert (outcome.output, outcome.reason, outcome.group) == (output, reason, None)


def test_a_missing_program() -> None:
    outcome = run("no-such-program", "x")
    assert outcome.reason == 'exec: "no-such-program": executable file not found in $PATH'
    assert not outcome.started


def test_a_path_that_cannot_be_started(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "program"
    assert run(str(path)).reason == f"fork/exec {path}: no such file or directory"
    path.touch()
    assert run(str(path)).reason == f"fork/exec {path}: permission denied"


@pytest.mark.parametrize(
    ("argument", "reason"),
    [("a\0b", "invalid argument"), ("x" * 200_000, "argument list too long")],
)
def test_arguments_that_cannot_be_passed(argument: str, reason: str) -> None:
    assert run("bash", argument).reason == f"fork/exec bash: {reason}"


def test_a_file_that_is_no_program(tmp_path: pathlib.Path) -> None:
    (tmp_path / "broken").write_text("no program")
    (tmp_path / "broken").chmod(0o755)
    path = str(tmp_path / "broken")
    assert run(path).reason == f"fork/exec {path}: exec format error"


def test_output_is_capped() -> None:
    outcome = run("bash", "-c", "head -c 10000000 /dev/zero")
    assert "9998976 bytes left out" in outcome.output
    assert len(outcome.output) < 2000


class Limit:
    """Time that runs out when a file exists, so no test depends on speed."""

    def __init__(self, file: pathlib.Path) -> None:
        self.file = file

    def __call__(self) -> float:
        return 0.0 if self.file.exists() else LONG


@pytest.mark.parametrize("trap", ["", "trap '' TERM;"])
def test_at_the_limit_the_whole_group_ends(
    trap: str,
    tmp_path: pathlib.Path,
    running: Callable[[pathlib.Path], bool],
    eventually: Callable[[Callable[[], object]], None],
) -> None:
    child, ready = tmp_path / "child", tmp_path / "ready"
    script = f"{trap} sleep 1000 & echo $! > {child}; echo begun; touch {ready}; wait; wait"
    outcome = run("bash", "-c", script, remaining=Limit(ready), grace=0.2)
    assert outcome.reason == "signal: killed"
    assert outcome.output.startswith("begun\n")
    eventually(lambda: not running(child))


def test_the_end_waits_for_whoever_holds_the_pipe(
    tmp_path: pathlib.Path, running: Callable[[pathlib.Path], bool]
) -> None:
    leader, go = tmp_path / "leader", tmp_path / "go"

    def remaining() -> float:
        if leader.exists() and not running(leader):
            go.touch()
        return LONG

    late = f"(until [ -e {go} ]; do sleep 0.02; done; echo late) &"
    script = f"{late} echo $$ > {leader}.part; mv {leader}.part {leader}"
    assert run("bash", "-c", script, remaining=remaining).output == "late\n"


def test_a_pipe_kept_open_beyond_the_limit_does_not_hold_the_reply(tmp_path: pathlib.Path) -> None:
    child, ready = tmp_path / "child", tmp_path / "ready"
    escape = f"setsid sh -c 'echo $$ > {child}; touch {ready}; exec sleep 1000' & wait"
    outcome = run("bash", "-c", escape, remaining=Limit(ready), grace=0.2)
    os.kill(int(child.read_text()), signal.SIGKILL)
    assert outcome.reason == "signal: killed"


def test_survivors_are_reported(tmp_path: pathlib.Path) -> None:
    script = f"sleep 1000 >/dev/null 2>&1 & echo $$ > {tmp_path}/leader"
    outcome = run("bash", "-c", script)
    assert outcome.reason == ""
    assert outcome.group == int((tmp_path / "leader").read_text())
    assert process.alive(outcome.group)
    os.killpg(outcome.group, signal.SIGKILL)


def test_errors_can_be_dropped() -> None:
    plan = Plan.of(("bash", "-c", "echo out; echo err >&2; exit 3"), errors=False)
    assert process.execute(plan, forever, 1024, 1.0) == process.Ended("out\n", "exit status 3")


def test_programs_are_looked_up_where_the_confinement_says(tmp_path: pathlib.Path) -> None:
    (tmp_path / "tool").write_text("#!/bin/sh\necho $PATH; pwd")
    (tmp_path / "tool").chmod(0o755)
    kept = Confinement((), {"PATH": str(tmp_path)}, scratch=False)
    assert run("tool", kept=kept).output == f"{tmp_path}\n{os.getcwd()}\n"
    assert not run("bash", kept=kept).started


def test_a_confined_command_ends_with_its_programs(
    tmp_path: pathlib.Path,
    running: Callable[[pathlib.Path], bool],
    eventually: Callable[[Callable[[], object]], None],
) -> None:
    script = f"sleep 1000 & echo $! > {tmp_path}/child; echo done; exit 3"
    kept = Confinement((), {"PATH": os.environ["PATH"]})
    assert run("bash", "-c", script, kept=kept) == process.Ended("done\n", "exit status 3")
    eventually(lambda: not running(tmp_path / "child"))
