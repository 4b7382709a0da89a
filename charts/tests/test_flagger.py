"""The controller's chart: upstream's values give upstream's flags; rights follow the values."""

import json
from collections.abc import Callable
from typing import Any

import pytest
import yaml

Object = dict[str, Any]
Render = Callable[..., list[Object]]


def of(objects: list[Object], kind: str, name: str = "flagger") -> Object:
    (found,) = (o for o in objects if o["kind"] == kind and o["metadata"]["name"] == name)
    return found


def args(objects: list[Object]) -> list[str]:
    container = of(objects, "Deployment")["spec"]["template"]["spec"]["containers"][0]
    assert container["name"] == "flagger"
    return list(container["args"])


def rights(role: Object) -> dict[tuple[str, str], set[str]]:
    found: dict[tuple[str, str], set[str]] = {}
    for rule in role["rules"]:
        for group in rule["apiGroups"]:
            for resource in rule["resources"]:
                found.setdefault((group, resource), set()).update(rule["verbs"])
    return found


def test_default_flags(render: Render) -> None:
    assert args(render("flagger")) == [
        "-log-level=info",
        "-metrics-server=http://prometheus:9090",
        "-enable-config-tracking=true",
        "-slack-user=flagger",
    ]


@pytest.mark.parametrize(
    ("settings", "flags"),
    [
        (["logLevel=debug"], ["-log-level=debug"]),
        (["meshProvider=gatewayapi:v1"], ["-mesh-provider=gatewayapi:v1"]),
        (["metricsServer=http://p:1"], ["-metrics-server=http://p:1"]),
        (["prometheus.install=true"], ["-metrics-server=http://flagger-prometheus:9090"]),
        (["metricsServerSecret=s"], ["-metrics-server-secret=/etc/flagger/metrics-server"]),
        (["selectorLabels=app\\,name"], ["-selector-labels=app,name"]),
        (["configTracking.enabled=false"], ["-enable-config-tracking=false"]),
        (["namespace=apps"], ["-namespace=apps"]),
        ([r"namespace=apps\, shop"], ["-namespace=apps,shop"]),
        (
            ["slack.url=http://s", "slack.proxyUrl=http://p", "slack.user=u", "slack.channel=#c"],
            [
                "-slack-url=http://s",
                "-slack-proxy-url=http://p",
                "-slack-user=u",
                "-slack-channel=#c",
            ],
        ),
        (["slack.proxy=http://p"], ["-slack-proxy-url=http://p"]),
        (
            ["msteams.url=http://t", "msteams.proxyUrl=http://p"],
            ["-msteams-url=http://t", "-msteams-proxy-url=http://p"],
        ),
        (["msteams.proxy-url=http://p"], ["-msteams-proxy-url=http://p"]),
        (
            ["leaderElection.enabled=true"],
            ["-enable-leader-election=true", "-leader-election-namespace=test"],
        ),
        (["shards.label=team"], []),
        (["ingressAnnotationsPrefix=a.b"], ["-ingress-annotations-prefix=a.b"]),
        (["includeLabelPrefix=*"], ["-include-label-prefix=*"]),
        (["ingressClass=contour"], ["-ingress-class=contour"]),
        (["eventWebhook=http://e"], ["-event-webhook=http://e"]),
        (["eventsAddr=http://flux"], ["-events-addr=http://flux"]),
        (
            ["kubeconfigQPS=1000000", "kubeconfigBurst=20"],
            ["-kubeconfig-qps=1000000", "-kubeconfig-burst=20"],
        ),
        (
            ["controlplane.kubeconfig.secretName=mesh"],
            ["-kubeconfig-service-mesh=/tmp/controlplane/kubeconfig"],
        ),
        (["threadiness=4"], ["-threadiness=4"]),
        (["clusterName=east 1"], ["-cluster-name=east 1"]),
        (["noCrossNamespaceRefs=true"], ["-no-cross-namespace-refs=true"]),
        (["extraArgs={-zap-encoding=console}"], ["-zap-encoding=console"]),
    ],
)
def test_values_become_flags(render: Render, settings: list[str], flags: list[str]) -> None:
    found = args(render("flagger", *settings))
    assert [flag for flag in found if flag in flags] == flags
    names = [flag.partition("=")[0] for flag in found]
    assert len(set(names)) == len(names)


def test_unknown_provider_is_refused(template: Callable[..., Any]) -> None:
    assert template("flagger", "--set", "meshProvider=istoi").code == 1


def test_replicas_need_an_election(render: Render) -> None:
    single = of(render("flagger", "leaderElection.replicaCount=3"), "Deployment")["spec"]
    assert single["replicas"] == 1
    assert single["strategy"] == {"type": "Recreate"}
    both = ("leaderElection.enabled=true", "leaderElection.replicaCount=3")
    several = of(render("flagger", *both), "Deployment")["spec"]
    assert several["replicas"] == 3
    assert several["strategy"]["type"] == "RollingUpdate"


def test_shards_are_numbered_pods(render: Render) -> None:
    objects = render(
        "flagger",
        *("shards.count=3", "shards.label=example.com/team", "leaderElection.replicaCount=2"),
        *("podDisruptionBudget.enabled=true", "annotations.a=b", "deploymentLabels.c=d"),
    )
    assert "Deployment" not in {each["kind"] for each in objects}
    found = of(objects, "StatefulSet")
    assert found["metadata"]["annotations"] == {"a": "b"}
    assert found["metadata"]["labels"]["c"] == "d"
    spec = found["spec"]
    assert spec["replicas"] == 6, "two for each shard"
    assert spec["podManagementPolicy"] == "Parallel"
    assert spec["serviceName"] == "flagger"
    (container,) = spec["template"]["spec"]["containers"]
    assert container["args"][-4:] == [
        "-enable-leader-election=true",
        "-leader-election-namespace=test",
        "-shard=auto/3",
        "-shard-label=example.com/team",
    ]
    (name,) = container["env"]
    assert name == {"name": "POD_NAME", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}
    assert of(objects, "Role", "flagger-leader-election")
    assert of(objects, "PodDisruptionBudget")["spec"]["minAvailable"] == 1


def test_a_deployment_knows_nothing_of_shards(render: Render) -> None:
    (container,) = of(render("flagger"), "Deployment")["spec"]["template"]["spec"]["containers"]
    assert "env" not in container
    assert not any("shard" in each for each in container["args"])


def test_election_rights_are_for_its_namespace_only(render: Render) -> None:
    objects = render("flagger", "leaderElection.enabled=true")
    role = of(objects, "Role", "flagger-leader-election")
    assert role["metadata"]["namespace"] == "test"
    assert rights(role) == {("coordination.k8s.io", "leases"): {"get", "list", "create", "update"}}
    watched = render("flagger", "leaderElection.enabled=true", "namespace=apps")
    assert of(watched, "Role", "flagger-leader-election")["metadata"]["namespace"] == "apps"
    several = render("flagger", "leaderElection.enabled=true", r"namespace=apps\,shop")
    assert of(several, "Role", "flagger-leader-election")["metadata"]["namespace"] == "test"


def test_rights_cover_what_a_rollout_needs(render: Render) -> None:
    found = rights(of(render("flagger"), "ClusterRole"))
    cared_for = {"get", "list", "watch", "create", "update", "patch"}
    for key in [
        ("", "configmaps"),
        ("", "secrets"),
        ("", "services"),
        ("apps", "deployments"),
        ("apps", "daemonsets"),
        ("apps", "statefulsets"),
        ("autoscaling", "horizontalpodautoscalers"),
        ("keda.sh", "scaledobjects"),
        ("networking.istio.io", "virtualservices"),
        ("networking.istio.io", "destinationrules"),
        ("gateway.networking.k8s.io", "httproutes"),
        ("traefik.io", "traefikservices"),
        ("traefik.io", "ingressroutes"),
        ("projectcontour.io", "httpproxies"),
        ("apisix.apache.org", "apisixroutes"),
        ("appmesh.k8s.aws", "virtualnodes"),
        ("gloo.solo.io", "upstreams"),
        ("gateway.solo.io", "routetables"),
        ("split.smi-spec.io", "trafficsplits"),
        ("networking.k8s.io", "ingresses"),
    ]:
        assert found[key] == cared_for, key
    assert found["kuma.io", "meshhttproutes"] == cared_for | {"delete"}
    budgets = {"get", "list", "watch", "create", "update", "delete"}
    assert found["policy", "poddisruptionbudgets"] == budgets
    assert found["serving.knative.dev", "services"] == {"get", "list", "watch", "update"}
    assert found["serving.knative.dev", "revisions"] == {"get", "list", "watch"}
    assert found["flagger.app", "canaries"] == {"get", "list", "watch", "update", "patch"}
    assert found["flagger.app", "canaries/status"] == {"update", "patch"}
    assert found["flagger.app", "metrictemplates"] == {"get", "list", "watch"}
    assert ("", "pods") not in found


def test_rights_cover_every_kind_the_controller_knows(render: Render) -> None:
    from flagger_controller.cluster import client, resources

    objects = render("flagger", "leaderElection.enabled=true")
    found = rights(of(objects, "ClusterRole"))
    found |= rights(of(objects, "Role", "flagger-leader-election"))
    known = [value for value in vars(resources).values() if isinstance(value, client.Resource)]
    unused = {"namespaces", "customresourcedefinitions"}
    write_only = {"events"}
    for resource in known:
        if resource.plural not in unused:
            verb = "create" if resource.plural in write_only else "get"
            assert verb in found[resource.group, resource.plural], resource


def test_rights_can_be_limited_to_providers(render: Render) -> None:
    found = rights(of(render("flagger", "rbac.providers={traefik,keda}"), "ClusterRole"))
    base = {"", "apps", "autoscaling", "discovery.k8s.io", "flagger.app", "policy"}
    groups = {group for group, _ in found} - base
    assert groups == {"traefik.io", "keda.sh"}


def test_one_namespace_needs_no_cluster_role(render: Render) -> None:
    objects = render("flagger", "namespace=apps")
    assert not any(o["kind"].startswith("ClusterRole") for o in objects)
    role = of(objects, "Role")
    assert role["metadata"]["namespace"] == "apps"
    everywhere = of(render("flagger", "namespace=apps", "rbac.scope=cluster"), "ClusterRole")
    assert everywhere["rules"] == role["rules"]


def test_of_several_namespaces_each_gets_the_rights(render: Render) -> None:
    objects = render("flagger", r"namespace=apps\, shop\,apps")
    for kind in ("Role", "RoleBinding"):
        found = [o["metadata"]["namespace"] for o in objects if o["kind"] == kind]
        assert found == ["apps", "shop"]
    assert not any(o["kind"].startswith("ClusterRole") for o in objects)


def test_the_login_of_the_metrics_server_is_mounted(render: Render) -> None:
    """As a volume, which follows the Secret; ours has no login."""
    pod = of(render("flagger", "metricsServerSecret=login"), "Deployment")["spec"]["template"]
    volumes = {each["name"]: each for each in pod["spec"]["volumes"]}
    assert volumes["metrics-server"]["secret"] == {"secretName": "login"}
    mounts = pod["spec"]["containers"][0]["volumeMounts"]
    assert {
        "name": "metrics-server",
        "mountPath": "/etc/flagger/metrics-server",
        "readOnly": True,
    } in mounts
    ours = render("flagger", "prometheus.install=true")
    assert render("flagger", "prometheus.install=true", "metricsServerSecret=login") == ours


def test_values_of_upstream_are_accepted(render: Render) -> None:
    """Also those without a meaning any more, which render nothing."""
    settings = ("crd.create=true", "rbac.pspEnabled=true", "image.pullSecret=null")
    assert render("flagger", *settings) == render("flagger")


def test_templates_in_values(template: Callable[..., Any]) -> None:
    """With the names of upstream's helpers."""
    labels = {"app.kubernetes.io/name": '{{ template "flagger.name" . }}'}
    term = {"labelSelector": {"matchLabels": labels}, "topologyKey": "zone"}
    affinity = {"podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [term]}}
    result = template("flagger", "--set-json", f"affinity={json.dumps(affinity)}")
    pod = of(result.objects, "Deployment")["spec"]["template"]["spec"]
    (found,) = pod["affinity"]["podAntiAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]
    assert found["labelSelector"]["matchLabels"] == {"app.kubernetes.io/name": "flagger"}


def test_prometheus_keeps_the_labels_of_the_built_in_queries(render: Render) -> None:
    objects = render("flagger", "prometheus.install=true")
    text = of(objects, "ConfigMap", "flagger-prometheus")["data"]["prometheus.yml"]
    config = yaml.safe_load(text)
    assert config["global"]["scrape_interval"] == "5s"
    jobs = {job["job_name"]: job for job in config["scrape_configs"]}
    assert set(jobs) == {
        "appmesh-envoy",
        "kubernetes-apiservers",
        "kubernetes-cadvisor",
        "kubernetes-pods",
    }
    targets = [rule.get("target_label") for rule in jobs["kubernetes-pods"]["relabel_configs"]]
    assert {"kubernetes_namespace", "kubernetes_pod_name"} <= set(targets)
    service = of(objects, "Service", "flagger-prometheus")
    assert service["spec"]["ports"][0]["port"] == 9090


def test_prometheus_with_other_targets(render: Render) -> None:
    job = "prometheus.scrapeConfigs[0]"
    objects = render("flagger", "prometheus.install=true", f"{job}.job_name=mine")
    text = of(objects, "ConfigMap", "flagger-prometheus")["data"]["prometheus.yml"]
    assert yaml.safe_load(text)["scrape_configs"] == [{"job_name": "mine"}]


def test_disruption_budget_never_blocks_a_drain(render: Render) -> None:
    alone = of(render("flagger", "podDisruptionBudget.enabled=true"), "PodDisruptionBudget")
    assert alone["spec"]["maxUnavailable"] == 1
    several = ("leaderElection.enabled=true", "leaderElection.replicaCount=2")
    budget = render("flagger", "podDisruptionBudget.enabled=true", *several)
    assert of(budget, "PodDisruptionBudget")["spec"]["minAvailable"] == 1


def test_monitors_go_where_they_are_told(render: Render) -> None:
    objects = render(
        "flagger",
        "serviceMonitor.enabled=true",
        "serviceMonitor.namespace=monitoring",
        "serviceMonitor.labels.release=kps",
        "podMonitor.enabled=true",
        "podMonitor.additionalLabels.release=kps",
    )
    monitor = of(objects, "ServiceMonitor")
    assert monitor["metadata"]["namespace"] == "monitoring"
    assert monitor["metadata"]["labels"]["release"] == "kps"
    assert monitor["spec"]["namespaceSelector"] == {"matchNames": ["test"]}
    assert of(objects, "PodMonitor")["metadata"]["labels"]["release"] == "kps"
    service = of(objects, "Service")
    assert (
        monitor["spec"]["selector"]["matchLabels"].items() <= service["metadata"]["labels"].items()
    )
