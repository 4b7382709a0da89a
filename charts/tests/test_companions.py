"""The charts of the three companions: flags, rights, and what their values change."""

from collections.abc import Callable
from typing import Any

import pytest

Object = dict[str, Any]
Render = Callable[..., list[Object]]


def of(objects: list[Object], kind: str) -> list[Object]:
    return [found for found in objects if found["kind"] == kind]


def pod(objects: list[Object]) -> Object:
    (deployment,) = of(objects, "Deployment")
    found: Object = deployment["spec"]["template"]["spec"]
    return found


def args(objects: list[Object]) -> list[str]:
    return list(pod(objects)["containers"][0]["args"])


def test_loadtester_flags(render: Render) -> None:
    assert args(render("loadtester")) == [
        "-port=8080",
        "-log-level=info",
        "-timeout=1h",
        "-namespace-regexp=",
    ]
    changed = render("loadtester", "cmd.timeout=5m", "cmd.namespaceRegexp=^test$")
    assert args(changed)[2:] == ["-timeout=5m", "-namespace-regexp=^test$"]


def test_loadtester_has_no_rights_by_default(render: Render) -> None:
    objects = render("loadtester")
    assert pod(objects)["automountServiceAccountToken"] is False
    assert not of(objects, "Role")
    assert not of(objects, "ClusterRole")


@pytest.mark.parametrize(("scope", "kind"), [("", "Role"), ("cluster", "ClusterRole")])
def test_loadtester_rules_are_honoured(render: Render, scope: str, kind: str) -> None:
    rule = "rbac.rules[0]"
    objects = render(
        "loadtester",
        "rbac.create=true",
        f"rbac.scope={scope}",
        f"{rule}.apiGroups={{apps}}",
        f"{rule}.resources={{deployments}}",
        f"{rule}.verbs={{get}}",
        "serviceAccountName=tests",
    )
    (role,) = of(objects, kind)
    assert role["rules"] == [
        {"apiGroups": ["apps"], "resources": ["deployments"], "verbs": ["get"]}
    ]
    (binding,) = of(objects, f"{kind}Binding")
    assert binding["subjects"][0]["name"] == "tests"
    assert pod(objects)["serviceAccountName"] == "tests"
    assert pod(objects)["automountServiceAccountToken"] is True
    assert not of(objects, "ServiceAccount")


def test_loadtester_keeps_upstreams_labels_and_annotations(render: Render) -> None:
    (deployment,) = of(render("loadtester"), "Deployment")
    metadata = deployment["spec"]["template"]["metadata"]
    assert metadata["labels"]["app"] == "loadtester"
    assert metadata["annotations"] == {
        "appmesh.k8s.aws/ports": "444",
        "openservicemesh.io/inbound-port-exclusion-list": "80, 8080",
        "prometheus.io/scrape": "true",
        "prometheus.io/port": "8080",
    }


def test_loadtester_behind_istio(render: Render) -> None:
    (alone,) = of(render("loadtester", "istio.enabled=true"), "VirtualService")
    assert "gateways" not in alone["spec"]
    objects = render("loadtester", "istio.enabled=true", "istio.gateway.enabled=true")
    assert of(objects, "VirtualService")[0]["spec"]["gateways"] == ["flagger-loadtester"]
    assert of(objects, "Gateway")[0]["spec"]["servers"][0]["hosts"] == [
        "flagger-loadtester.flagger"
    ]


def test_loadtester_in_app_mesh(render: Render) -> None:
    nodes = of(render("loadtester", "appmesh.enabled=true", "meshName=global"), "VirtualNode")
    assert {node["apiVersion"] for node in nodes} == {
        "appmesh.k8s.aws/v1beta1",
        "appmesh.k8s.aws/v1beta2",
    }


def test_gatekeeper_keeps_gates_in_config_maps(render: Render) -> None:
    objects = render("gatekeeper")
    assert args(objects) == [
        "-port=8080",
        "-log-level=info",
        "-namespace-regexp=",
        "-store=kubernetes",
        "-store-namespace=test",
        "-default-mode=sticky",
        "-default-ttl=0s",
        "-once-grace=5m",
        "-auto-reset=false",
        "-audit-retention=2160h",
        "-events=false",
        "-ui=true",
        "-auth-mode=none",
        "-allow-anonymous-mutations=false",
        "-access-review=false",
        "-trusted-proxy-cidr=",
        "-rate-limit=100",
    ]
    (role,) = of(objects, "Role")
    assert role["metadata"]["namespace"] == "test"
    (rule,) = role["rules"]
    assert rule["resources"] == ["configmaps"]
    assert rule["verbs"] == ["get", "list", "create", "update", "delete"]
    assert not of(objects, "ClusterRole")
    assert pod(objects)["automountServiceAccountToken"] is True
    (deployment,) = of(objects, "Deployment")
    assert deployment["spec"]["replicas"] == 2
    (budget,) = of(objects, "PodDisruptionBudget")
    assert budget["spec"]["minAvailable"] == 1


def test_gatekeeper_may_ask_the_api_server_about_callers(render: Render) -> None:
    mode = "auth.mode=kubernetes"
    for settings, resources in [
        ((mode,), {"tokenreviews"}),
        ((mode, "auth.accessReview=true"), {"tokenreviews", "subjectaccessreviews"}),
        ((mode, "store.type=sqlite"), {"tokenreviews"}),
    ]:
        objects = render("gatekeeper", *settings)
        (role,) = of(objects, "ClusterRole")
        assert {rule["resources"][0] for rule in role["rules"]} == resources
        assert {tuple(rule["verbs"]) for rule in role["rules"]} == {("create",)}
        (binding,) = of(objects, "ClusterRoleBinding")
        assert binding["roleRef"]["name"] == role["metadata"]["name"]
        assert pod(objects)["automountServiceAccountToken"] is True
    assert not of(render("gatekeeper", mode, "rbac.create=false"), "ClusterRole")


def test_gatekeeper_may_write_events_if_it_shall(render: Render) -> None:
    for settings in (("gates.events=true",), ("gates.events=true", "store.type=sqlite")):
        objects = render("gatekeeper", *settings)
        (role,) = of(objects, "ClusterRole")
        assert [(rule["resources"], rule["verbs"]) for rule in role["rules"]] == [
            (["canaries"], ["get"]),
            (["events"], ["create"]),
        ]
        assert pod(objects)["automountServiceAccountToken"] is True
    both = render("gatekeeper", "gates.events=true", "auth.mode=kubernetes")
    (role,) = of(both, "ClusterRole")
    assert len(role["rules"]) == 3


def test_gatekeeper_reads_tokens_and_grants_from_a_secret(render: Render) -> None:
    secret = "auth.secretName=gates"
    objects = render(
        "gatekeeper", secret, "auth.mode=static", "auth.policy=true", "auth.checkToken=true"
    )
    assert args(objects)[-3:] == [
        "-token-file=/etc/gatekeeper/tokens.json",
        "-policy-file=/etc/gatekeeper/policy.json",
        "-check-token-file=/etc/gatekeeper/check-token",
    ]
    volume = {"name": "auth", "secret": {"secretName": "gates"}}
    assert volume in pod(objects)["volumes"]
    mount = {"name": "auth", "mountPath": "/etc/gatekeeper", "readOnly": True}
    assert mount in pod(objects)["containers"][0]["volumeMounts"]
    assert volume not in pod(render("gatekeeper", secret))["volumes"]


def test_gatekeeper_with_a_file_is_one_pod(render: Render) -> None:
    objects = render("gatekeeper", "store.type=sqlite", "persistence.enabled=true")
    assert args(objects)[3:5] == ["-store=sqlite", "-store-dsn=/data/gates.sqlite"]
    (deployment,) = of(objects, "Deployment")
    assert deployment["spec"]["replicas"] == 1
    assert deployment["spec"]["strategy"] == {"type": "Recreate"}
    assert pod(objects)["automountServiceAccountToken"] is False
    assert not of(objects, "Role")
    (claim,) = of(objects, "PersistentVolumeClaim")
    volume = {"name": "data", "persistentVolumeClaim": {"claimName": claim["metadata"]["name"]}}
    assert volume in pod(objects)["volumes"]
    existing = render(
        "gatekeeper",
        "store.type=sqlite",
        "persistence.enabled=true",
        "persistence.existingClaim=mine",
    )
    assert not of(existing, "PersistentVolumeClaim")
    assert {"claimName": "mine"} in [
        v.get("persistentVolumeClaim") for v in pod(existing)["volumes"]
    ]
    (budget,) = of(objects, "PodDisruptionBudget")
    assert budget["spec"]["maxUnavailable"] == 1


def test_helmtester_flags(render: Render) -> None:
    objects = render("helmtester", "cmd.timeout=3m")
    assert args(objects) == [
        "-port=8080",
        "-log-level=info",
        "-timeout=3m",
        "-namespace-regexp=",
        "-max-concurrency=4",
        "-per-namespace-concurrency=1",
        "-failure-status=500",
    ]
    assert pod(objects)["terminationGracePeriodSeconds"] == 330
    changed = render(
        "helmtester",
        "cmd.namespaceConcurrency=2",
        "cmd.failureStatus=422",
        "cmd.releaseNamespaces={shared,prod}",
        "cmd.legacyUrl=http://flagger-loadtester.test/",
    )
    assert args(changed)[5:] == [
        "-per-namespace-concurrency=2",
        "-failure-status=422",
        "-release-namespaces=shared,prod",
        "-legacy-types=http://flagger-loadtester.test/",
    ]


def test_helmtester_rights_are_those_of_helm_test(render: Render) -> None:
    (role,) = of(render("helmtester"), "Role")
    assert role["metadata"]["namespace"] == "test"
    found = {rule["resources"][0]: rule["verbs"] for rule in role["rules"]}
    assert found == {
        "secrets": ["get", "list", "watch", "update"],
        "pods": ["get", "list", "watch", "create", "delete"],
        "pods/log": ["get"],
        "jobs": ["get", "list", "watch", "create", "delete"],
    }


def test_helmtester_in_several_namespaces(render: Render) -> None:
    objects = render("helmtester", "testNamespaces={apps,shop}")
    for kind in ("Role", "RoleBinding"):
        places = {found["metadata"]["namespace"] for found in of(objects, kind)}
        assert places == {"apps", "shop"}
    everywhere = render("helmtester", "rbac.scope=cluster")
    assert not of(everywhere, "Role")
    assert len(of(everywhere, "ClusterRoleBinding")) == 1


def test_helmtester_can_act_as_the_tenants_account(render: Render) -> None:
    objects = render("helmtester", "cmd.impersonate=tests")
    assert args(objects)[-1] == "-impersonate=tests"
    (role,) = of(objects, "Role")
    assert role["rules"] == [
        {
            "apiGroups": [""],
            "resources": ["serviceaccounts"],
            "resourceNames": ["tests"],
            "verbs": ["impersonate"],
        }
    ]


@pytest.mark.parametrize(
    ("mode", "flag"), [("token", "-auth-token-file"), ("hmac", "-auth-hmac-key-file")]
)
def test_helmtester_knows_its_callers(
    render: Render, template: Callable[..., Any], mode: str, flag: str
) -> None:
    objects = render("helmtester", f"auth.mode={mode}", "auth.existingSecret=s", "auth.key=k")
    assert args(objects)[-1] == f"{flag}=/etc/helmtester/k"
    assert {"name": "auth", "secret": {"secretName": "s"}} in pod(objects)["volumes"]
    mount = {"name": "auth", "mountPath": "/etc/helmtester", "readOnly": True}
    assert mount in pod(objects)["containers"][0]["volumeMounts"]
    missing = template("helmtester", "--set", f"auth.mode={mode}")
    assert "needs auth.existingSecret" in missing.errors


def test_helmtester_may_read_templates_of_jobs(render: Render) -> None:
    objects = render("helmtester", "jobs.enabled=true", "jobs.templates={a-*,b}")
    assert args(objects)[-2:] == ["-jobs=true", "-job-templates=a-*,b"]
    (role,) = of(objects, "Role")
    assert {"apiGroups": [""], "resources": ["configmaps"], "verbs": ["get"]} in role["rules"]


def test_helmtester_may_read_canaries_to_verify_payloads(render: Render) -> None:
    rule = {"apiGroups": ["flagger.app"], "resources": ["canaries"], "verbs": ["get"]}
    for settings in ((), ("cmd.impersonate=tests",)):
        objects = render("helmtester", "verifyCanary=true", "testNamespaces={a,b}", *settings)
        assert args(objects)[-1] == "-verify-canary=true"
        assert [rule in role["rules"] for role in of(objects, "Role")] == [True, True]
    (role,) = of(render("helmtester", "verifyCanary=true", "rbac.scope=cluster"), "ClusterRole")
    assert rule in role["rules"]


def test_helmtester_is_one_process(template: Callable[..., Any]) -> None:
    several = template("helmtester", "--set", "replicaCount=2")
    assert several.code != 0
    assert "replicaCount must be 0 or 1" in several.errors


def test_more_of_everything(render: Render) -> None:
    objects = render(
        "helmtester",
        "extraArgs={-max-concurrency=2}",
        "volumes[0].name=x",
        "volumes[0].configMap.name=x",
        "volumeMounts[0].name=x",
        "volumeMounts[0].mountPath=/x",
        "env[0].name=A",
        "env[0].value=b",
        "envFrom[0].secretRef.name=s",
        "image.pullSecret=registry",
        "podPriorityClassName=high",
        "podLabels.team=a",
        "nodeSelector.disk=ssd",
    )
    found = pod(objects)
    (container,) = found["containers"]
    assert container["args"][-1] == "-max-concurrency=2"
    assert {"name": "A", "value": "b"} in container["env"]
    assert container["envFrom"] == [{"secretRef": {"name": "s"}}]
    assert {"name": "x", "mountPath": "/x"} in container["volumeMounts"]
    assert {"name": "x", "configMap": {"name": "x"}} in found["volumes"]
    assert found["imagePullSecrets"] == [{"name": "registry"}]
    assert found["priorityClassName"] == "high"
    assert found["nodeSelector"] == {"disk": "ssd"}


@pytest.mark.parametrize("chart", ["gatekeeper", "helmtester"])
def test_network_policy(render: Render, chart: str) -> None:
    assert not of(render(chart), "NetworkPolicy")
    (policy,) = of(render(chart, "networkPolicy.enabled=true"), "NetworkPolicy")
    assert policy["spec"]["policyTypes"] == ["Ingress"]
    assert policy["spec"]["ingress"][0]["from"] == [{"namespaceSelector": {}}]
    egress = "networkPolicy.egress[0].ports[0].port=80"
    (both,) = of(render(chart, "networkPolicy.enabled=true", egress), "NetworkPolicy")
    assert both["spec"]["policyTypes"] == ["Ingress", "Egress"]
    assert [rule["ports"][0]["port"] for rule in both["spec"]["egress"]] == [53, 80]
