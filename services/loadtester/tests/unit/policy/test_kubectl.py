"""Which kubectl commands pass, and with which arguments."""

import pytest

from flagger_loadtester.policy import kubectl
from flagger_loadtester.policy.scope import RefusedError, Scope

SCOPE = Scope(
    "test",
    verbs=frozenset({"get", "logs", "rollout status", "exec"}),
    resources=frozenset({"pods", "deployments"}),
)


@pytest.mark.parametrize(
    "text",
    [
        "get pods",
        "get pods,deployments -o json",
        "get deployments podinfo -ojsonpath={.status}",
        "get pods/a deployments/b --no-headers",
        "get pods -n test -l app=podinfo",
        "logs podinfo-0 --tail 10 -c app",
        "logs deployments/podinfo",
        "rollout status deployments/podinfo --timeout=1m",
    ],
)
def test_commands_that_run(text: str) -> None:
    words = tuple(text.split())
    assert kubectl.build(words, SCOPE) == ("--namespace", "test", *words)
    assert kubectl.build(("kubectl", *words), SCOPE) == ("--namespace", "test", *words)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "verb not allowed: none"),
        ("delete pods a", "verb not allowed: delete"),
        ("exec a -- sh", "verb not allowed: exec"),
        ("rollout undo deployments/a", "verb not allowed: rollout undo"),
        ("-n prod get pods", "verb not allowed: -n"),
        ("get secrets", "resource not allowed: secrets"),
        ("get pods,secrets", "resource not allowed: secrets"),
        ("get pods/a secrets/b", "resource not allowed: secrets"),
        ("get pods a secrets/b", "resource not allowed: secrets"),
        ("logs secrets/a", "resource not allowed: secrets"),
        ("get pods -n prod", "namespace not allowed: prod is not the canary's test"),
        ("get pods -nprod", "namespace not allowed: prod"),
        ("get pods --namespace=prod", "namespace not allowed: prod"),
        ("get pods -A", "option not allowed: -A"),
        ("get pods --all-namespaces", "option not allowed: --all-namespaces"),
        ("get pods --kubeconfig=/x", "option not allowed: --kubeconfig"),
        ("get pods --server=http://x", "option not allowed: --server"),
        ("get pods --as=admin", "option not allowed: --as"),
        ("get --raw=/", "option not allowed: --raw"),
        ("get -f /etc/passwd", "option not allowed: -f"),
        ("get pods -o go-template-file=/etc/passwd", "argument not allowed: output"),
        ("get pods -o custom-columns-file=/etc/passwd", "argument not allowed: output"),
    ],
)
def test_commands_that_are_refused(text: str, reason: str) -> None:
    with pytest.raises(RefusedError) as caught:
        kubectl.build(tuple(text.split()), SCOPE)
    assert str(caught.value).startswith(reason)


def test_it_is_off_without_a_policy() -> None:
    with pytest.raises(RefusedError, match="lists no verbs and resources"):
        kubectl.build(("get", "pods"), Scope("test"))


def test_the_namespace_is_a_name() -> None:
    scope = Scope("--all-namespaces", verbs=SCOPE.verbs, resources=SCOPE.resources)
    with pytest.raises(RefusedError, match="namespace not allowed"):
        kubectl.build(("get", "pods"), scope)


def test_logs_are_those_of_pods() -> None:
    scope = Scope("test", verbs=SCOPE.verbs, resources=frozenset({"deployments"}))
    with pytest.raises(RefusedError, match="resource not allowed: pods"):
        kubectl.build(("logs", "-l", "app=x"), scope)
