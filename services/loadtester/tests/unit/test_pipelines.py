"""Plans as processes: pipes, connectors, one group a pipeline, and confinement."""

import json
import os
import pathlib
import resource
import subprocess
import sys
from collections.abc import Callable

import pytest

from flagger_common import process
from flagger_common.plan import Plan
from flagger_loadtester import confinement, grammar

LONG = 1_000.0


def run(text: str, *, pipefail: bool = False) -> process.Ended:
    return process.execute(grammar.parse(text, pipefail=pipefail), lambda: LONG, 65536, 1.0)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "printf 'a\\nb\\n' | grep b",
        "printf 'a\\nb\\n' | grep c",
        "printf x | cat | cat | wc -c",
        "false | true",
        "true | false",
        "false && echo a || echo b",
        "true || echo a && echo b",
        "true && false || true && echo c",
        "false; echo a",
        "echo a; false",
        "false || false\necho c",
        "sh -c 'exit 3' && echo a || sh -c 'exit 4'",
        "sh -c 'echo out; echo err >&2' | cat",
        "sh -c 'exec sleep 0; exit 1' ; true",
    ],
)
def test_plans_end_as_in_a_shell(text: str) -> None:
    command = ["sh", "-c", f"exec 2>&1\n{text}"]
    ended = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
    outcome = run(text)
    assert sorted(outcome.output) == sorted(ended.stdout)  # two streams have no order
    assert outcome.reason == (f"exit status {ended.returncode}" if ended.returncode else "")
    assert outcome.group is None


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("sh -c 'exit 3' | true", "exit status 3"),
        ("sh -c 'exit 3' | sh -c 'exit 4' | true", "exit status 4"),
        ("true | true", ""),
        ("sh -c 'exit 3' | true && echo a", "exit status 3"),
    ],
)
def test_pipefail(text: str, reason: str) -> None:
    assert run(text, pipefail=True).reason == reason


def test_a_writer_without_a_reader_ends() -> None:
    outcome = run("yes | head -n 1", pipefail=True)
    assert (outcome.output, outcome.reason) == ("y\n", "signal: broken pipe")


def test_output_of_all_pipelines_is_capped_together() -> None:
    plan = grammar.parse("; ".join(["head -c 100000 /dev/zero"] * 3))
    outcome = process.execute(plan, lambda: LONG, 1024, 1.0)
    assert f"{300_000 - 1024} bytes left out" in outcome.output


def test_a_missing_program_ends_the_pipeline_before_it() -> None:
    outcome = run("sh -c 'sleep 1000' | no-such-program")
    assert outcome.reason == 'exec: "no-such-program": executable file not found in $PATH'
    assert run("no-such-program || echo a").output == "a\n"


def test_no_descriptor_is_left_open() -> None:
    before = os.listdir("/proc/self/fd")
    for text in ("echo a | cat | cat; echo b", "yes | no-such-program", "false | true && cat"):
        run(text)
    assert os.listdir("/proc/self/fd") == before


def test_a_program_has_only_its_own_descriptors() -> None:
    assert run("echo a | ls /proc/self/fd").output.split() == ["0", "1", "2", "3"]


def test_at_the_limit_a_whole_pipeline_ends_and_nothing_follows(
    tmp_path: pathlib.Path,
    running: Callable[[pathlib.Path], bool],
    eventually: Callable[[Callable[[], object]], None],
) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    parts = [f"sh -c 'sleep 1000 & echo $! > {file}; wait'" for file in (first, second)]
    plan = grammar.parse(" | ".join(parts) + " || no-such-program; no-such-program")

    def remaining() -> float:
        begun = all(file.exists() and file.read_text() for file in (first, second))
        return 0.0 if begun else LONG

    outcome = process.execute(plan, remaining, 1024, 1.0)
    assert outcome.reason == "signal: killed"
    eventually(lambda: not running(first) and not running(second))


SHOW = """
import json, os, resource, sys
limits = {n: resource.getrlimit(getattr(resource, n))[0]
          for n in ("RLIMIT_CORE", "RLIMIT_NOFILE", "RLIMIT_FSIZE", "RLIMIT_AS", "RLIMIT_CPU")}
open("mark", "w").close()
print(json.dumps([dict(os.environ), os.getcwd(), os.nice(0), limits]))
"""


def test_a_confined_command_has_limits_and_a_directory_of_its_own(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("LOADTESTER_AUTH_TOKEN_FILE", "/secret")
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "10.0.0.1")
    kept = confinement.confine(7)
    plan = Plan.of((sys.executable, "-I", "-S", "-c", SHOW))
    outcome = process.execute(plan, lambda: LONG, 65536, 1.0, kept)
    assert outcome.reason == "", outcome.output
    environ, directory, nice, limits = json.loads(outcome.output)
    names = {"PATH", "LANG", "HOME", "TMPDIR", "PWD"}
    assert set(environ) - {"LC_CTYPE"} == names  # Python adds this one itself
    assert environ["HOME"] == environ["TMPDIR"] == directory
    assert not pathlib.Path(directory).exists()
    assert nice == min(19, os.nice(0) + 5)
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    assert limits == {
        "RLIMIT_CORE": 0,
        "RLIMIT_NOFILE": min(8192, hard),
        "RLIMIT_FSIZE": 1 << 30,
        "RLIMIT_AS": 8 << 30,
        "RLIMIT_CPU": 7,
    }


def test_helm_and_kubectl_learn_where_the_api_server_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "10.0.0.1")
    assert "KUBERNETES_SERVICE_HOST" not in confinement.confine(7).environ
    kept = confinement.confine(7, cluster=True)
    assert kept.environ["KUBERNETES_SERVICE_HOST"] == "10.0.0.1"
