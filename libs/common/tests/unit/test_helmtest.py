import pytest

from flagger_common import helmtest

POLICY = helmtest.Policy(limit=3600.0)


def build(cmd: str, namespace: str = "test", timeout: str = "") -> tuple[str, ...]:
    return helmtest.build(cmd, namespace, timeout, POLICY).arguments


def podinfo(*options: str, timeout: str = "5m0s") -> tuple[str, ...]:
    return ("test", "podinfo", "--namespace", "test", "--timeout", timeout, *options)


@pytest.mark.parametrize(
    ("cmd", "expected"),
    [
        # spec helmtester A.1, row by row
        ("test podinfo -n test", podinfo()),
        ("test run podinfo -n test", podinfo()),
        ("test podinfo --timeout 3m -n test", podinfo(timeout="3m0s")),
        ("test podinfo --cleanup", podinfo()),
        ("test podinfo", podinfo()),
        # spelled otherwise
        ("  test \t podinfo\n", podinfo()),
        ("helm test podinfo", podinfo()),
        ("helmv3 test podinfo", podinfo()),
        ("-n test test podinfo", podinfo()),
        ("test podinfo -ntest", podinfo()),
        ("test podinfo -n=test", podinfo()),
        ("test podinfo --namespace=test --namespace test", podinfo()),
        ("test podinfo --timeout=90s", podinfo(timeout="1m30s")),
        ("test podinfo --timeout 1m --timeout 2m", podinfo(timeout="2m0s")),
        ("test podinfo --logs", podinfo("--logs=true")),
        ("test podinfo --logs=0", podinfo("--logs=false")),
        ("test podinfo --hide-notes", podinfo("--hide-notes=true")),
        ("test podinfo --filter name=a", podinfo("--filter", "name=a")),
        ("test podinfo --filter name=a --filter=!name=b",
         podinfo("--filter", "name=a", "--filter", "!name=b")),
        ("test podinfo --filter 'name=a b'", podinfo("--filter", "name=a b")),
        ("test podinfo --filter $(id)", podinfo("--filter", "$(id)")),
        ("test podinfo --filter '`id`;x'", podinfo("--filter", "`id`;x")),
        # left over from Helm 2
        ("test podinfo --parallel --max 20 --tls --tls-ca-cert=x --tiller-namespace y", podinfo()),
    ],
)  # fmt: skip
def test_commands_that_run(cmd: str, expected: tuple[str, ...]) -> None:
    assert build(cmd) == expected


def test_test_run_alone_tests_the_release_run() -> None:
    assert build("test run") == ("test", "run", "--namespace", "test", "--timeout", "5m0s")


@pytest.mark.parametrize(
    ("cmd", "message"),
    [
        ("", "command not allowed: "),
        ("helm", "command not allowed: "),
        ("uninstall podinfo", "command not allowed: uninstall"),
        ("install podinfo ./chart", "command not allowed: install"),
        ("plugin install x", "command not allowed: plugin"),
        ("helm helm test podinfo", "command not allowed: helm"),
        ("TEST podinfo", "command not allowed: TEST"),
        ("test", "command not allowed: test needs one release, got 0"),
        ("test podinfo other", "command not allowed: test needs one release, got 2"),
        ("test run podinfo other", "command not allowed: test needs one release, got 3"),
        ("test 'podinfo", "command not allowed: No closing quotation"),
        ("test podinfo; rm -rf x", "option not allowed: -rf"),
        ("test podinfo;id", "release not allowed: podinfo;id"),
        ("test $(id)", "release not allowed: $(id)"),
        ("test `id`", "release not allowed: `id`"),
        ("test ''", "release not allowed: "),
        ("test Podinfo", "release not allowed: Podinfo"),
        ("test pod_info", "release not allowed: pod_info"),
        ("test podinfo-", "release not allowed: podinfo-"),
        ("test a..b", "release not allowed: a..b"),
        ("test " + "a" * 54, "release not allowed: " + "a" * 54),
        ("test podinfo --kubeconfig x", "option not allowed: --kubeconfig"),
        ("test podinfo --kube-context=x", "option not allowed: --kube-context"),
        ("test podinfo --kube-apiserver x", "option not allowed: --kube-apiserver"),
        ("test podinfo --kube-token x", "option not allowed: --kube-token"),
        ("test podinfo --kube-as-user x", "option not allowed: --kube-as-user"),
        ("test podinfo --kube-ca-file=x", "option not allowed: --kube-ca-file"),
        ("test podinfo --registry-config x", "option not allowed: --registry-config"),
        ("test podinfo --repository-cache x", "option not allowed: --repository-cache"),
        ("test podinfo --post-renderer x", "option not allowed: --post-renderer"),
        ("test podinfo --debug", "option not allowed: --debug"),
        ("test podinfo -- x", "option not allowed: --"),
        ("test podinfo -", "option not allowed: -"),
        ("test podinfo --logs=maybe", "option not allowed: --logs=maybe"),
        ("test podinfo --filter", "option not allowed: --filter without a value"),
        ("test podinfo -n other", "namespace not allowed: other is not the canary's test"),
        ("test podinfo -n test -n other", "namespace not allowed: other is not the canary's test"),
        ("test podinfo -n other -n test", "namespace not allowed: other is not the canary's test"),
        ("test podinfo -n ''", "namespace not allowed:  is not the canary's test"),
        ("test podinfo --timeout 300", "timeout not allowed: "),
        ("test podinfo --timeout 0s", "timeout not allowed: 0s is not positive"),
        ("test podinfo --timeout=-5m", "timeout not allowed: -5m is not positive"),
    ],
)  # fmt: skip
def test_commands_that_are_refused(cmd: str, message: str) -> None:
    with pytest.raises(helmtest.RefusedError) as refused:
        build(cmd)
    assert str(refused.value).startswith(message)
    assert message.endswith(": ") or str(refused.value) == message


@pytest.mark.parametrize("namespace", ["", "Test", "a.b", "-x", "x" * 64, "a b", "../x"])
def test_the_canarys_namespace_has_to_be_one(namespace: str) -> None:
    with pytest.raises(helmtest.RefusedError, match="namespace not allowed"):
        build("test podinfo", namespace)


@pytest.mark.parametrize(
    ("limit", "metadata", "expected"),
    [
        (3600.0, "", "5m0s"),
        (3600.0, "3m", "3m0s"),
        (3600.0, "10m", "5m0s"),
        (60.0, "", "1m0s"),
        (60.0, "3m", "1m0s"),
    ],
)
def test_a_missing_timeout_is_the_shortest_known(
    limit: float, metadata: str, expected: str
) -> None:
    test = helmtest.build("test podinfo", "test", metadata, helmtest.Policy(limit))
    assert test.arguments == podinfo(timeout=expected)
    assert test.notes == ()


def test_a_long_timeout_is_cut_and_noted() -> None:
    test = helmtest.build("test podinfo --timeout 2h", "test", "", helmtest.Policy(600.0))
    assert test.arguments == podinfo(timeout="10m0s")
    assert test.notes == ("--timeout 2h was cut to 10m0s",)


def test_a_wrong_timeout_in_the_metadata_is_refused() -> None:
    with pytest.raises(helmtest.RefusedError, match="timeout not allowed"):
        build("test podinfo", timeout="soon")


def test_debug_can_be_allowed() -> None:
    policy = helmtest.Policy(3600.0, allow_debug=True)
    test = helmtest.build("test podinfo --debug", "test", "", policy)
    assert test.arguments == podinfo("--debug=true")


def test_rewrites_are_noted() -> None:
    test = helmtest.build("test run podinfo --cleanup", "test", "", POLICY)
    assert test.notes == (
        "--cleanup has no meaning in Helm 3 and was dropped",
        "test run podinfo was read as test podinfo",
    )


@pytest.mark.parametrize(
    ("text", "expected"),
    [("true", True), ("1", True), ("T", True), ("false", False), ("yes", False), ("", False)],
)
def test_switches_in_metadata_are_read_as_upstream_does(text: str, expected: bool) -> None:
    assert helmtest.is_true(text) is expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [("false", True), ("0", True), ("F", True), ("true", False), ("no", False), ("", False)],
)
def test_what_is_on_by_default_is_switched_off_in_so_many_words(text: str, expected: bool) -> None:
    assert helmtest.is_false(text) is expected


def test_releases_of_other_namespaces_can_be_allowed() -> None:
    policy = helmtest.Policy(3600.0, namespaces=frozenset({"shared"}))
    test = helmtest.build("test podinfo -n shared", "test", "", policy)
    assert (test.namespace, test.arguments[2:4]) == ("shared", ("--namespace", "shared"))
    assert helmtest.build("test podinfo", "test", "", policy).namespace == "test"
    with pytest.raises(helmtest.RefusedError, match="other is not the canary's test"):
        helmtest.build("test podinfo -n other", "test", "", policy)


def test_the_default_can_be_another_namespace() -> None:
    policy = helmtest.Policy(3600.0, default_namespace="tests")
    assert helmtest.build("test podinfo", "test", "", policy).namespace == "tests"
    assert helmtest.build("test podinfo -n test", "test", "", policy).namespace == "test"
