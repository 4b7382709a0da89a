"""What is true of every chart: valid objects, restricted pods, narrow rights, checked values."""

import json
import pathlib
import re
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import jsonschema
import pytest
import yaml

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import kubernetes_validate

Object = dict[str, Any]
Render = Callable[..., list[Object]]

SERVICES = ("flagger", "loadtester", "gatekeeper", "helmtester")
"""What runs programs of ours."""
CHARTS = (*SERVICES, "grafana")
COMPANIONS = SERVICES[1:]
CASES = {
    "flagger": [
        (),
        ("prometheus.install=true",),
        ("leaderElection.enabled=true", "leaderElection.replicaCount=2"),
        ("namespace=apps", "leaderElection.enabled=true"),
        ("namespace=apps", "rbac.scope=cluster"),
        (r"namespace=apps\,shop", "leaderElection.enabled=true"),
        ("rbac.providers={istio,keda}",),
        ("serviceMonitor.enabled=true", "podMonitor.enabled=true"),
        ("prometheusRule.enabled=true",),
        ("shards.count=3", "shards.label=team", "podDisruptionBudget.enabled=true"),
        ("linkerdAuthPolicy.create=true", "podDisruptionBudget.enabled=true"),
        ("controlplane.kubeconfig.secretName=mesh", "probes.exec=true"),
        ("metricsServerSecret=login",),
        ("serviceAccount.create=false", "rbac.create=false"),
    ],
    "loadtester": [
        (),
        (
            "rbac.create=true",
            "rbac.rules[0].apiGroups={apps}",
            "rbac.rules[0].resources={deployments}",
            "rbac.rules[0].verbs={get}",
        ),
        ("podDisruptionBudget.enabled=true", "serviceAccountName=other"),
        ("networkPolicy.enabled=true", "networkPolicy.egress[0].ports[0].port=80"),
        ("istio.enabled=true", "istio.gateway.enabled=true", "istio.tls.enabled=true"),
        ("appmesh.enabled=true", "meshName=global", "backends={podinfo.test}"),
        ("locust.enabled=true", "networkPolicy.enabled=true", "serviceMonitor.enabled=true"),
        (
            "locust.enabled=true",
            "locust.existingConfigMap=mine",
            "networkPolicy.enabled=true",
            "networkPolicy.egress[0].ports[0].port=80",
        ),
        ("volumes[0].name=t", "volumes[0].configMap.name=bats", "env[0].name=A", "env[0].value=b"),
        ("networkPolicy.enabled=true", "compat=true"),
        ("networkPolicy.enabled=true", "verifyCanary=true"),
        ("rbac.scope=cluster", "verifyCanary=true"),
        ("policy.namespaces.test.shell=true", "auth.existingSecret=s", "auth.tokenKey=token"),
    ],
    "gatekeeper": [
        (),
        ("store.type=sqlite", "persistence.enabled=true", "persistence.storageClass=fast"),
        ("store.type=sqlite",),
        ("store.type=memory", "serviceMonitor.enabled=true"),
        ("networkPolicy.enabled=true", "podMonitor.enabled=true"),
        ("auth.mode=kubernetes", "auth.accessReview=true"),
        ("gates.events=true", "store.type=sqlite"),
        ("auth.mode=static", "auth.secretName=s", "auth.policy=true", "auth.checkToken=true"),
    ],
    "helmtester": [
        (),
        ("testNamespaces={apps,shop}",),
        ("rbac.scope=cluster", "podDisruptionBudget.enabled=true"),
        ("verifyCanary=true", "testNamespaces={apps,shop}"),
        (
            "rbac.rules[0].apiGroups={apps}",
            "rbac.rules[0].resources={deployments}",
            "rbac.rules[0].verbs={get}",
        ),
    ],
    "grafana": [(), ("password=x", "replicaCount=2", "service.type=NodePort")],
}
EVERY_CASE = [
    pytest.param(chart, case, id=f"{chart}-{number}")
    for chart, cases in CASES.items()
    for number, case in enumerate(cases)
]
FOREIGN = ("monitoring.coreos.com", "istio.io", "appmesh.k8s.aws", "linkerd.io")


def pods(objects: list[Object]) -> Iterator[Object]:
    for found in objects:
        if found["kind"] == "Pod":
            yield found["spec"]
        elif "template" in found.get("spec", {}):
            yield found["spec"]["template"]["spec"]


def rules(objects: list[Object]) -> Iterator[Object]:
    for found in objects:
        if found["kind"] in {"Role", "ClusterRole"}:
            yield from found["rules"]


def of(objects: list[Object], kind: str) -> list[Object]:
    return [found for found in objects if found["kind"] == kind]


@pytest.mark.parametrize(("chart", "case"), EVERY_CASE)
def test_objects_are_valid(render: Render, chart: str, case: tuple[str, ...]) -> None:
    objects = render(chart, *case)
    names = [(o["apiVersion"], o["kind"], o["metadata"].get("namespace"), o["metadata"]["name"])
             for o in objects]  # fmt: skip
    assert len(set(names)) == len(names)
    for found in objects:
        if not found["apiVersion"].split("/")[0].endswith(FOREIGN):
            kubernetes_validate.validate(found, "1.33", strict=True)


@pytest.mark.parametrize(("chart", "case"), EVERY_CASE)
def test_pods_are_restricted(render: Render, chart: str, case: tuple[str, ...]) -> None:
    found = list(pods(render(chart, *case)))
    assert found
    for pod in found:
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        assert "automountServiceAccountToken" in pod
        assert not {"hostNetwork", "hostPID", "hostIPC"} & set(pod)
        assert not any("hostPath" in volume for volume in pod.get("volumes", []))
        for container in pod["containers"]:
            context = container["securityContext"]
            assert context["runAsNonRoot"] is True
            assert context["runAsUser"] > 0
            assert context["readOnlyRootFilesystem"] is True
            assert context["allowPrivilegeEscalation"] is False
            assert context["capabilities"] == {"drop": ["ALL"]}
            assert set(container["resources"]) == {"requests", "limits"}


@pytest.mark.parametrize("chart", SERVICES)
def test_servers_have_probes_and_a_writable_tmp(render: Render, chart: str) -> None:
    (deployment,) = of(render(chart), "Deployment")
    pod = deployment["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    assert container["livenessProbe"]["httpGet"] == {"path": "/healthz", "port": "http"}
    assert container["readinessProbe"]["httpGet"] == {"path": "/readyz", "port": "http"}
    assert {"name": "tmp", "mountPath": "/tmp"} in container["volumeMounts"]
    assert {"name": "tmp", "emptyDir": {"sizeLimit": "64Mi"}} in pod["volumes"]
    (executed,) = of(render(chart, "probes.exec=true"), "Deployment")
    (container,) = executed["spec"]["template"]["spec"]["containers"]
    assert container["readinessProbe"]["exec"]["command"][-1] == "http://localhost:8080/readyz"


@pytest.mark.parametrize(("chart", "case"), EVERY_CASE)
def test_rights_are_listed_one_by_one(render: Render, chart: str, case: tuple[str, ...]) -> None:
    for rule in rules(render(chart, *case)):
        assert "*" not in rule["verbs"]
        assert "*" not in rule.get("apiGroups", [])
        if rule.get("apiGroups") != ["external.metrics.k8s.io"]:
            assert "*" not in rule.get("resources", [])
        assert not {"escalate", "bind", "impersonate", "deletecollection"} & set(rule["verbs"])
        if "secrets" in rule.get("resources", []):
            assert "delete" not in rule["verbs"]


@pytest.mark.parametrize(("chart", "case"), EVERY_CASE)
def test_bindings_are_for_the_account_of_the_pods(
    render: Render, chart: str, case: tuple[str, ...]
) -> None:
    objects = render(chart, *case)
    accounts = {pod["serviceAccountName"] for pod in pods(objects) if "serviceAccountName" in pod}
    for kind in ("Role", "ClusterRole"):
        made = {(o["metadata"].get("namespace"), o["metadata"]["name"]) for o in of(objects, kind)}
        for binding in of(objects, f"{kind}Binding"):
            place = binding["metadata"].get("namespace")
            assert binding["roleRef"]["kind"] == kind
            assert (place, binding["roleRef"]["name"]) in made
            (subject,) = binding["subjects"]
            assert subject["name"] in accounts
            assert subject["namespace"] == "test"


@pytest.mark.parametrize(("chart", "case"), EVERY_CASE)
def test_selectors_find_the_pods_of_one_release(
    render: Render, chart: str, case: tuple[str, ...]
) -> None:
    """And only those: upstream's two releases in a namespace took each other's requests."""
    objects = render(chart, *case)
    workloads = [*of(objects, "Deployment"), *of(objects, "StatefulSet")]
    templates = [o["spec"]["template"]["metadata"]["labels"] for o in workloads]
    others = [o["metadata"]["labels"] for o in of(objects, "Pod")]
    selectors = [o["spec"]["selector"] for o in of(objects, "Service")]
    for kind in ("Deployment", "StatefulSet", "PodDisruptionBudget", "PodMonitor"):
        selectors += [o["spec"]["selector"]["matchLabels"] for o in of(objects, kind)]
    for selector in selectors:
        assert set(selector) == {"app.kubernetes.io/name", "app.kubernetes.io/instance"}
        assert sum(selector.items() <= labels.items() for labels in templates) == 1
        assert not any(selector.items() <= labels.items() for labels in others)


@pytest.mark.parametrize("chart", [*COMPANIONS, "grafana"])
def test_documented_names(render: Render, chart: str) -> None:
    """`helm upgrade -i flagger-NAME charts/NAME` gives the host of the documented URLs."""
    (service,) = of(render(chart), "Service")
    assert service["metadata"]["name"] == f"flagger-{chart}"
    assert service["metadata"]["namespace"] == "test"
    (port,) = service["spec"]["ports"]
    assert (port["port"], port["targetPort"]) == (80, "http")
    (other,) = of(render(chart, release="blue"), "Service")
    assert other["metadata"]["name"] == f"blue-{chart}"
    (named,) = of(render(chart, "fullnameOverride=x"), "Service")
    assert named["metadata"]["name"] == "x"


@pytest.mark.parametrize("chart", COMPANIONS)
def test_companions_have_a_helm_test(render: Render, chart: str) -> None:
    (pod,) = of(render(chart), "Pod")
    assert pod["metadata"]["annotations"]["helm.sh/hook"] == "test"
    command = pod["spec"]["containers"][0]["command"]
    assert command[-1] == f"http://flagger-{chart}:80/healthz"


@pytest.mark.parametrize("chart", SERVICES)
def test_image(render: Render, chart: str) -> None:
    def image(*settings: str) -> str:
        (deployment,) = of(render(chart, *settings), "Deployment")
        return str(deployment["spec"]["template"]["spec"]["containers"][0]["image"])

    name = "controller" if chart == "flagger" else chart
    assert image() == f"flagger-py/{name}:0.1.0"
    assert image("image.repository=mine", "image.tag=v7") == "mine:v7"
    digest = f"sha256:{'0' * 64}"
    assert image("image.repository=mine", f"image.digest={digest}") == f"mine@{digest}"


@pytest.mark.parametrize("chart", [*CHARTS, "common"])
def test_one_version(root: pathlib.Path, chart: str) -> None:
    from flagger_common import version

    described = yaml.safe_load((root / "charts" / chart / "Chart.yaml").read_text())
    assert described["version"] == version.__version__
    assert described.get("appVersion", version.__version__) == version.__version__
    for dependency in described.get("dependencies", []):
        assert dependency["version"] == version.__version__
        assert (root / "charts" / chart / "charts/common").resolve() == root / "charts/common"


@pytest.mark.parametrize("chart", CHARTS)
@pytest.mark.parametrize(
    "setting",
    [
        "replicaCuont=2",
        "image.tga=1",
        "logLevel=loud",
        "resources.limit.cpu=1",
        "podDisruptionBudget.enabled=sometimes",
        "image.pullPolicy=Sometimes",
    ],
)
def test_typos_are_refused(template: Callable[..., Any], chart: str, setting: str) -> None:
    result = template(chart, "--set", setting)
    assert result.code == 1
    assert "don't meet the specifications of the schema" in result.errors


@pytest.mark.parametrize("chart", CHARTS)
def test_values_and_schema_name_the_same_things(root: pathlib.Path, chart: str) -> None:
    values = yaml.safe_load((root / "charts" / chart / "values.yaml").read_text())
    schema = json.loads((root / "charts" / chart / "values.schema.json").read_text())
    jsonschema.Draft202012Validator.check_schema(schema)

    def compare(value: Object, described: Object, path: str) -> None:
        if "$ref" in described:
            described = schema["$defs"][described["$ref"].rpartition("/")[2]]
        if "properties" not in described:
            return
        extra = {"", "global", "common", "digest", "proxy", "proxy-url", "claims"}
        assert set(value) <= set(described["properties"]), path
        assert set(described["properties"]) - set(value) <= extra, path
        for name, inner in value.items():
            if isinstance(inner, dict):
                compare(inner, described["properties"][name], f"{path}.{name}")

    compare(values, schema, chart)


@pytest.mark.parametrize("chart", CHARTS)
def test_values_are_explained(root: pathlib.Path, chart: str) -> None:
    """A value whose meaning its name does not tell has a comment above it."""
    obvious = re.compile(
        r"^(podLabels|podAnnotations|podPriorityClassName|nodeSelector|tolerations|resources|"
        r"image|service|serviceAccount|cmd|rbac|podDisruptionBudget|serviceMonitor|backends|"
        r"configTracking|leaderElection|crd|kubeconfigBurst|controlplane):"
    )
    lines = (root / "charts" / chart / "values.yaml").read_text().splitlines()
    for before, line in zip(["", *lines], lines, strict=False):
        if re.match(r"^\w", line) and not obvious.match(line):
            assert before.startswith("#"), line
