"""From a text to a plan of absolute programs."""

import logging
import pathlib
from collections.abc import Callable

import pytest

from flagger_common.plan import Connector
from flagger_loadtester import grammar
from flagger_loadtester.policy import guard
from flagger_loadtester.policy.scope import RefusedError, Scope

Make = Callable[..., guard.Guard]
DEFAULTS = Scope("", commands=frozenset({"hey", "wrk", "curl", "grep", "jq", "mytool"}))


@pytest.fixture
def programs(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> pathlib.Path:
    """Put programs on the path that need not do anything."""
    made = tmp_path / "bin"
    made.mkdir()
    for name in ("hey", "wrk", "curl", "grep", "mytool", "prlimit", "nice", "sh"):
        (made / name).write_text("")
        (made / name).chmod(0o755)
    monkeypatch.setenv("PATH", str(made))
    return made


@pytest.fixture
def make(programs: pathlib.Path, tmp_path: pathlib.Path) -> Make:
    def build(policy: str = "", defaults: Scope = DEFAULTS) -> guard.Guard:
        path = tmp_path / "policy.yaml"
        path.write_text(policy)
        return guard.build(defaults, 60.0, str(path) if policy else "")

    return build


def refusal(made: guard.Guard, text: str, namespace: str = "test") -> str:
    with pytest.raises(RefusedError) as caught:
        made.plan(text, made.scope(namespace))
    return str(caught.value)


def test_programs_become_absolute_paths(make: Make, programs: pathlib.Path) -> None:
    made = make()
    plan = made.plan("curl -s http://a.test | grep x && hey http://a.test", made.scope("test"))
    curl = (str(programs / "curl"), "-s", "http://a.test")
    hey = (str(programs / "hey"), "-disable-redirects", "http://a.test")
    assert plan.steps == (
        (Connector.ALWAYS, (curl, (str(programs / "grep"), "x"))),
        (Connector.ON_SUCCESS, (hey,)),
    )
    assert made.plan("", made.scope("test")).steps == ()


def test_only_listed_and_installed_programs_run(
    make: Make, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    made = make()
    assert caplog.messages == ["not installed, so refused: jq, bash, helm, kubectl"]
    assert refusal(made, "rm -rf /").startswith("command not allowed: rm, allowed are: curl, grep")
    assert refusal(made, "/bin/sh x").startswith("command not allowed: /bin/sh, ")
    assert refusal(made, "'' x").startswith("command not allowed: , ")
    assert refusal(made, "grep x; sh").startswith("command not allowed: sh")
    assert refusal(made, "jq .") == "command not allowed: jq is not installed"
    with pytest.raises(grammar.GrammarError):
        made.plan("grep $x", made.scope("test"))


def test_a_program_without_a_table_needs_expressions(make: Make, programs: pathlib.Path) -> None:
    assert "lists no arguments of mytool" in refusal(make(), "mytool")
    made = make("namespaces: {test: {arguments: {mytool: ['-v', '[a-z]+']}}}")
    (step,) = made.plan("mytool -v abc", made.scope("test")).steps
    assert step[1] == ((str(programs / "mytool"), "-v", "abc"),)
    assert refusal(made, "mytool -vv") == "argument not allowed: -vv by the policy file"
    assert refusal(made, "mytool abc1") == "argument not allowed: abc1 by the policy file"
    assert "lists no arguments" in refusal(made, "mytool -v", "other")


def test_expressions_narrow_a_table_and_do_not_widen_it(make: Make) -> None:
    made = make("namespaces: {test: {arguments: {curl: ['-L', '-s', 'http://.*']}}}")
    made.plan("curl -s http://a.test", made.scope("test"))
    assert refusal(made, "curl -f http://a.test") == "argument not allowed: -f by the policy file"
    assert refusal(made, "curl -L http://a.test") == "option not allowed: -L"


def test_a_namespace_may_have_fewer_programs_but_not_more(make: Make) -> None:
    made = make("namespaces: {test: {commands: [grep, sh]}}")
    assert made.scope("test").commands == {"grep"}
    assert made.scope("other").commands == DEFAULTS.commands


@pytest.mark.parametrize("connector", ["|", "&&", ";"])
def test_the_number_of_programs_is_limited(make: Make, connector: str) -> None:
    made = make()
    made.plan(connector.join(["grep x"] * 16), made.scope("test"))
    assert "more than 16 programs" in refusal(made, connector.join(["grep x"] * 17))


def test_a_pipeline_has_one_load_test(make: Make) -> None:
    made = make()
    made.plan("hey http://a.test; wrk http://a.test | grep x", made.scope("test"))
    assert "two load tests" in refusal(made, "hey http://a.test | wrk http://a.test")


def test_limits_come_from_flags_and_policy(make: Make) -> None:
    made = make("namespaces: {test: {maximum: {duration: 10s, requests: 0}, hosts: [x.example]}}")
    scope, other = made.scope("test"), made.scope("other")
    assert (scope.duration, scope.concurrency, scope.requests) == (10.0, 200, 0)
    assert (other.duration, other.concurrency, other.requests) == (3600.0, 200, 0)
    assert (scope.hosts, other.hosts) == (("x.example",), ())


@pytest.mark.parametrize(
    ("flag", "policy", "allowed"),
    [
        (False, "", False),
        (True, "", True),
        (True, "namespaces: {other: {shell: true}}", False),
        (True, "namespaces: {test: {shell: true}}", True),
        (False, "namespaces: {test: {shell: true}}", False),
    ],
)
def test_who_may_have_a_shell(make: Make, flag: bool, policy: str, allowed: bool) -> None:
    assert make(policy, Scope("", shell=flag)).scope("test").shell is allowed
