"""Real commands: results in upstream's words, limits for the whole process group."""

import os
import pathlib
import signal
from collections.abc import Callable

import pytest

from flagger_loadtester import process
from flagger_loadtester.plan import Plan

LONG = 1_000.0


def forever() -> float:
    return LONG


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
    outcome = process.execute(Plan.of(("bash", "-c", command)), forever, 1024)
    assert (outcome.output, outcome.reason, outcome.group) == (output, reason, None)


def test_a_missing_program() -> None:
    outcome = process.execute(Plan.of(("no-such-program", "x")), forever, 1024)
    assert outcome.reason == 'exec: "no-such-program": executable file not found in $PATH'


@pytest.mark.parametrize(
    ("argument", "reason"),
    [("a\0b", "invalid argument"), ("x" * 200_000, "argument list too long")],
)
def test_arguments_that_cannot_be_passed(argument: str, reason: str) -> None:
    assert (
        process.execute(Plan.of(("bash", argument)), forever, 1024).reason
        == f"fork/exec bash: {reason}"
    )


def test_a_file_that_is_no_program(tmp_path: pathlib.Path) -> None:
    (tmp_path / "broken").write_text("no program")
    (tmp_path / "broken").chmod(0o755)
    path = str(tmp_path / "broken")
    assert (
        process.execute(Plan.of((path,)), forever, 1024).reason
        == f"fork/exec {path}: exec format error"
    )


def test_output_is_capped() -> None:
    outcome = process.execute(Plan.of(("bash", "-c", "head -c 10000000 /dev/zero")), forever, 1024)
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
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(process, "GRACE", 0.2)
    child, ready = tmp_path / "child", tmp_path / "ready"
    script = f"{trap} sleep 1000 & echo $! > {child}; echo begun; touch {ready}; wait; wait"
    outcome = process.execute(Plan.of(("bash", "-c", script)), Limit(ready), 1024)
    assert outcome.reason == "signal: killed"
    assert outcome.output.startswith("begun\n")
    eventually(lambda: not running(child))


def test_the_end_waits_for_whoever_holds_the_pipe(tmp_path: pathlib.Path) -> None:
    script = f"(until [ -e {tmp_path}/go ]; do sleep 0.02; done; echo late) & touch {tmp_path}/go"
    assert process.execute(Plan.of(("bash", "-c", script)), forever, 1024).output == "late\n"


def test_a_pipe_kept_open_beyond_the_limit_does_not_hold_the_reply(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process, "GRACE", 0.2)
    child, ready = tmp_path / "child", tmp_path / "ready"
    escape = f"setsid sh -c 'echo $$ > {child}; touch {ready}; exec sleep 1000' & wait"
    outcome = process.execute(Plan.of(("bash", "-c", escape)), Limit(ready), 1024)
    os.kill(int(child.read_text()), signal.SIGKILL)
    assert outcome.reason == "signal: killed"


def test_survivors_are_reported(tmp_path: pathlib.Path) -> None:
    script = f"sleep 1000 >/dev/null 2>&1 & echo $$ > {tmp_path}/leader"
    outcome = process.execute(Plan.of(("bash", "-c", script)), forever, 1024)
    assert outcome.reason == ""
    assert outcome.group == int((tmp_path / "leader").read_text())
    assert process.alive(outcome.group)
    os.killpg(outcome.group, signal.SIGKILL)
