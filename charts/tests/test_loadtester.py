"""What the values of the load tester's strict mode become: flags, files, a policy, a network."""

from collections.abc import Callable
from typing import Any

import pytest
import yaml

Object = dict[str, Any]
Render = Callable[..., list[Object]]
DEFAULT = ["-port=8080", "-log-level=info", "-timeout=1h", "-namespace-regexp="]


def one(objects: list[Object], kind: str) -> Object:
    (found,) = (each for each in objects if each["kind"] == kind)
    return found


def pod(objects: list[Object]) -> Object:
    found: Object = one(objects, "Deployment")["spec"]["template"]
    return found


def added(render: Render, *settings: str) -> list[str]:
    """The flags that the settings add to those that are always there."""
    arguments = pod(render("loadtester", *settings))["spec"]["containers"][0]["args"]
    assert arguments[: len(DEFAULT)] == DEFAULT
    return list(arguments[len(DEFAULT) :])


@pytest.mark.parametrize(
    ("settings", "flags"),
    [
        ((), []),
        (("compat=true",), ["-compat=true"]),
        (("allowShell=true",), ["-allow-shell=true"]),
        (("verifyCanary=true",), ["-verify-canary=true"]),
        (("allowedCommands={hey,jq}",), ["-allowed-commands=hey,jq"]),
        (("files={/suite,/data}",), ["-files=/suite,/data"]),
        (("limits.concurrency=5",), ["-max-concurrency=5"]),
        (("limits.duration=1m30s",), ["-max-duration=1m30s"]),
        (("limits.requests=0",), ["-max-requests=0"]),
        (("limits.requests=1000000",), ["-max-requests=1000000"]),
        (("limits.perNamespace=3",), ["-max-per-namespace=3"]),
        (("limits.background=9", "limits.queue=0"), ["-max-background=9", "-queue-size=0"]),
    ],
)
def test_only_what_was_changed_becomes_a_flag(
    render: Render, settings: tuple[str, ...], flags: list[str]
) -> None:
    assert added(render, *settings) == flags


@pytest.mark.parametrize(
    "setting",
    ["limits.concurrency=0", "limits.duration=soon", "limits.queue=-1", "allowedCommands={a\\,b}"],
)
def test_limits_are_checked(template: Callable[..., Any], setting: str) -> None:
    result = template("loadtester", "--set", setting)
    assert result.code == 1
    assert "don't meet the specifications of the schema" in result.errors


@pytest.mark.parametrize(
    ("key", "flag"), [("tokenKey", "-auth-token-file"), ("hmacKey", "-auth-hmac-key-file")]
)
def test_secrets_are_files(render: Render, key: str, flag: str) -> None:
    settings = ("auth.existingSecret=callers", f"auth.{key}=x")
    assert added(render, *settings) == [f"{flag}=/etc/loadtester/auth/x"]
    found = pod(render("loadtester", *settings))["spec"]
    assert {"name": "auth", "secret": {"secretName": "callers"}} in found["volumes"]
    mount = {"name": "auth", "mountPath": "/etc/loadtester/auth", "readOnly": True}
    assert mount in found["containers"][0]["volumeMounts"]


@pytest.mark.parametrize(
    ("setting", "missing"),
    [
        ("auth.existingSecret=callers", "needs auth.tokenKey or auth.hmacKey"),
        ("auth.tokenKey=token", "need auth.existingSecret"),
        ("auth.hmacKey=key", "need auth.existingSecret"),
    ],
)
def test_half_a_login_is_refused(template: Callable[..., Any], setting: str, missing: str) -> None:
    """It would be a service that is open to everybody."""
    result = template("loadtester", "--set", setting)
    assert result.code != 0
    assert missing in result.errors


def test_a_policy_is_a_file(render: Render) -> None:
    host = "policy.namespaces.test.hosts[0]"
    objects = render("loadtester", f"{host}=traefik.traefik")
    assert added(render, f"{host}=traefik.traefik") == [
        "-policy-file=/etc/loadtester/policy/policy.yaml"
    ]
    config = one(objects, "ConfigMap")
    assert yaml.safe_load(config["data"]["policy.yaml"]) == {
        "namespaces": {"test": {"hosts": ["traefik.traefik"]}}
    }
    found = pod(objects)["spec"]
    volume = {"name": "policy", "configMap": {"name": config["metadata"]["name"]}}
    assert volume in found["volumes"]
    mount = {"name": "policy", "mountPath": "/etc/loadtester/policy", "readOnly": True}
    assert mount in found["containers"][0]["volumeMounts"]


def test_a_changed_policy_changes_the_pod(render: Render) -> None:
    host = "policy.namespaces.test.hosts[0]"
    sums = {
        pod(render("loadtester", f"{host}={name}"))["metadata"]["annotations"]["checksum/policy"]
        for name in ("a.test", "b.test")
    }
    assert len(sums) == 2
    assert "checksum/policy" not in pod(render("loadtester"))["metadata"]["annotations"]


def test_the_process_knows_its_namespace(render: Render) -> None:
    (container,) = pod(render("loadtester", "env[0].name=A", "env[0].value=b"))["spec"][
        "containers"
    ]
    own = {"fieldRef": {"fieldPath": "metadata.namespace"}}
    assert container["env"] == [
        {"name": "POD_NAMESPACE", "valueFrom": own},
        {"name": "A", "value": "b"},
    ]


def test_who_may_come_and_where_tests_may_go(render: Render) -> None:
    kinds = [found["kind"] for found in render("loadtester")]
    assert "NetworkPolicy" not in kinds
    objects = render("loadtester", "networkPolicy.enabled=true")
    policy = one(objects, "NetworkPolicy")["spec"]
    assert policy["policyTypes"] == ["Ingress", "Egress"]
    ((peer,),) = (rule["from"] for rule in policy["ingress"])
    assert peer["namespaceSelector"] == {}
    (expression,) = peer["podSelector"]["matchExpressions"]
    test_pod = one(objects, "Pod")["metadata"]["labels"]["app.kubernetes.io/name"]
    assert expression["values"] == ["flagger", "prometheus", test_pod]
    names, namespace = policy["egress"]
    assert {port["port"] for port in names["ports"]} == {53}
    # Pods of one namespace: an address, the API server's or 169.254.169.254, is none of them.
    assert namespace == {"to": [{"podSelector": {}}]}


def test_the_controllers_of_our_chart_are_let_in(render: Render) -> None:
    policy = one(render("loadtester", "networkPolicy.enabled=true"), "NetworkPolicy")
    ((peer,),) = (rule["from"] for rule in policy["spec"]["ingress"])
    names = set(peer["podSelector"]["matchExpressions"][0]["values"])
    made = [o for o in render("flagger", "prometheus.install=true") if o["kind"] == "Deployment"]
    labels = [o["spec"]["template"]["metadata"]["labels"] for o in made]
    assert {each["app.kubernetes.io/name"] for each in labels} <= names
    assert len(made) == 2


@pytest.mark.parametrize(
    ("scope", "kind", "place"), [("", "Role", "test"), ("cluster", "ClusterRole", None)]
)
def test_to_verify_payloads_canaries_may_be_read(
    render: Render, scope: str, kind: str, place: str | None
) -> None:
    objects = render("loadtester", "verifyCanary=true", f"rbac.scope={scope}")
    role, binding = one(objects, kind), one(objects, f"{kind}Binding")
    assert role["rules"] == [
        {"apiGroups": ["flagger.app"], "resources": ["canaries"], "verbs": ["get"]}
    ]
    assert [each["metadata"].get("namespace") for each in (role, binding)] == [place, place]
    assert binding["roleRef"]["name"] == role["metadata"]["name"]
    account = pod(objects)["spec"]["serviceAccountName"]
    assert [each["name"] for each in binding["subjects"]] == [account]
    assert pod(objects)["spec"]["automountServiceAccountToken"] is True


def test_the_rights_of_tests_stay_apart(render: Render) -> None:
    rule = "rbac.rules[0]"
    more = (f"{rule}.apiGroups={{apps}}", f"{rule}.resources={{deployments}}")
    objects = render(
        "loadtester", "verifyCanary=true", "rbac.create=true", *more, f"{rule}.verbs={{get}}"
    )
    roles = [found for found in objects if found["kind"] == "Role"]
    resources = [[each["resources"] for each in role["rules"]] for role in roles]
    assert sorted(resources) == [[["canaries"]], [["deployments"]]]


def test_to_verify_payloads_the_api_server_may_be_reached(render: Render) -> None:
    settings = ("verifyCanary=true", "networkPolicy.enabled=true")
    policies = [o for o in render("loadtester", *settings) if o["kind"] == "NetworkPolicy"]
    usual, added = (policy["spec"] for policy in policies)
    assert usual["egress"][-1] == {"to": [{"podSelector": {}}]}
    assert added["podSelector"] == usual["podSelector"]
    assert added["policyTypes"] == ["Egress"]
    (rule,) = added["egress"]
    assert [port["port"] for port in rule["ports"]] == [443, 6443]
    # Where everything may be reached a further policy would forbid the rest.
    everything = render("loadtester", *settings, "networkPolicy.egress=null")
    assert one(everything, "NetworkPolicy")["spec"]["policyTypes"] == ["Ingress"]
    assert "NetworkPolicy" not in [o["kind"] for o in render("loadtester", settings[0])]


def test_a_pod_of_old_is_gone_before_the_new_one(render: Render) -> None:
    """Running tests belong to one process."""
    assert one(render("loadtester"), "Deployment")["spec"]["strategy"] == {"type": "Recreate"}
