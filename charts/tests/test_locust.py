"""The load tester's Locust master and workers: who they are, who reaches them, what they run."""

import pathlib
from collections.abc import Callable
from typing import Any

import click
import pytest

from flagger_loadtester import cli

Object = dict[str, Any]
Render = Callable[..., list[Object]]

ON = "locust.enabled=true"
MASTER, WORKER = "flagger-loadtester-locust-master", "flagger-loadtester-locust-worker"


def found(objects: list[Object], kind: str, name: str) -> Object:
    (one,) = (o for o in objects if (o["kind"], o["metadata"]["name"]) == (kind, name))
    return one


def pod(objects: list[Object], name: str) -> Object:
    spec: Object = found(objects, "Deployment", name)["spec"]["template"]["spec"]
    return spec


def container(objects: list[Object], name: str) -> Object:
    (only,) = pod(objects, name)["containers"]
    return dict(only)


def selector(objects: list[Object], name: str) -> Object:
    labels: Object = found(objects, "Deployment", name)["spec"]["selector"]["matchLabels"]
    return labels


def test_locust_is_off_by_default(render: Render) -> None:
    objects = render("loadtester")
    assert "locust" not in str([o["metadata"]["name"] for o in objects])
    arguments = container(objects, "flagger-loadtester")["args"]
    assert not any("locust" in argument for argument in arguments)


def test_the_load_tester_knows_its_master(render: Render) -> None:
    objects = render("loadtester", ON)
    service = found(objects, "Service", MASTER)["spec"]
    assert service["type"] == "ClusterIP"
    assert [(p["port"], p["targetPort"]) for p in service["ports"]] == [
        (8089, "web"),
        (5557, "workers"),
    ]
    assert service["selector"] == selector(objects, MASTER)
    arguments = container(objects, "flagger-loadtester")["args"]
    context = click.Context(cli.command)
    values, _, _ = cli.command.make_parser(context).parse_args(list(arguments))
    assert values["locust_master"] == f"http://{MASTER}:8089"


def test_workers_find_their_master(render: Render) -> None:
    objects = render("loadtester", ON, "locust.workers=5")
    assert found(objects, "Deployment", MASTER)["spec"]["replicas"] == 1
    assert found(objects, "Deployment", WORKER)["spec"]["replicas"] == 5
    for name in (MASTER, WORKER):
        assert container(objects, name)["command"] == ["python3", "-m", "locust"]
    file = "--locustfile=/locust/locustfile.py"
    assert container(objects, MASTER)["args"] == [file, "--master", "--stop-timeout=5"]
    assert container(objects, WORKER)["args"] == [file, "--worker", f"--master-host={MASTER}"]
    ports = {p["name"]: p["containerPort"] for p in container(objects, MASTER)["ports"]}
    assert ports == {"web": 8089, "workers": 5557}
    assert "ports" not in container(objects, WORKER)


def test_locust_pods_are_not_load_testers(render: Render) -> None:
    """Or requests for the load tester would reach them, and its policies would open them."""
    objects = render("loadtester", ON)
    names = ("flagger-loadtester", MASTER, WORKER)
    for one in names:
        chosen = selector(objects, one).items()
        for other in names:
            labels = found(objects, "Deployment", other)["spec"]["template"]["metadata"]["labels"]
            assert (chosen <= labels.items()) is (one == other)
    for name, component in ((MASTER, "locust-master"), (WORKER, "locust-worker")):
        labels = found(objects, "Deployment", name)["spec"]["template"]["metadata"]["labels"]
        assert labels["app.kubernetes.io/component"] == component
        assert "app" not in labels


def test_long_names_stay_apart(render: Render) -> None:
    objects = render("loadtester", ON, f"fullnameOverride={'x' * 63}", f"nameOverride={'y' * 63}")
    names = [o["metadata"]["name"] for o in objects if o["kind"] == "Deployment"]
    assert len(set(names)) == 3
    assert len({str(selector(objects, name)) for name in names}) == 3
    assert all(len(name) <= 63 for name in names)
    assert found(objects, "Service", max(n for n in names if n.endswith("-master")))


def test_locust_runs_as_the_load_tester_does(render: Render) -> None:
    objects = render("loadtester", ON, "image.tag=v7", "locust.resources.limits.cpu=4")
    tester = container(objects, "flagger-loadtester")
    for name in (MASTER, WORKER):
        own = container(objects, name)
        assert own["image"] == tester["image"]
        assert own["securityContext"] == tester["securityContext"]
        assert str(own["resources"]["limits"]["cpu"]) == "4"
        assert {"name": "tmp", "mountPath": "/tmp"} in own["volumeMounts"]
        assert pod(objects, name)["automountServiceAccountToken"] is False
        assert pod(objects, name)["enableServiceLinks"] is False  # LOCUST_* would be options


@pytest.mark.parametrize("kind", ["livenessProbe", "readinessProbe"])
def test_the_master_is_probed(render: Render, kind: str) -> None:
    probe = container(render("loadtester", ON), MASTER)[kind]
    assert probe["httpGet"] == {"path": "/worker-count", "port": "web"}
    executed = container(render("loadtester", ON, "probes.exec=true"), MASTER)[kind]
    assert executed["exec"]["command"][-1] == "http://localhost:8089/worker-count"


def test_without_a_locustfile_it_is_the_images_own(render: Render, root: pathlib.Path) -> None:
    package = root / "services/loadtester/src/flagger_loadtester"
    text = (package / "locustfiles/default_locustfile.py").read_text()
    objects = render("loadtester", ON)
    data = found(objects, "ConfigMap", "flagger-loadtester-locust")["data"]
    assert data == {"locustfile.py": text}
    volume = {"name": "locustfile", "configMap": {"name": "flagger-loadtester-locust"}}
    for name in (MASTER, WORKER):
        assert volume in pod(objects, name)["volumes"]


def test_a_new_locustfile_restarts_the_pods(render: Render) -> None:
    def annotations(*settings: str) -> set[str]:
        objects = render("loadtester", ON, *settings)
        templates = [found(objects, "Deployment", n)["spec"]["template"] for n in (MASTER, WORKER)]
        return {t["metadata"]["annotations"]["checksum/locustfile"] for t in templates}

    first, second = annotations(), annotations("locust.locustfile=import locust")
    assert (len(first), len(second)) == (1, 1)
    assert first != second
    objects = render("loadtester", ON, "locust.locustfile=import locust")
    data = found(objects, "ConfigMap", "flagger-loadtester-locust")["data"]
    assert data == {"locustfile.py": "import locust"}


def test_an_existing_config_map(render: Render) -> None:
    objects = render("loadtester", ON, "locust.existingConfigMap=mine")
    assert not [o for o in objects if o["kind"] == "ConfigMap"]
    for name in (MASTER, WORKER):
        volume = {"name": "locustfile", "configMap": {"name": "mine"}}
        assert volume in pod(objects, name)["volumes"]


def test_only_the_load_tester_and_the_workers_reach_the_master(render: Render) -> None:
    objects = render("loadtester", ON, "networkPolicy.enabled=true")
    policy = found(objects, "NetworkPolicy", MASTER)["spec"]
    assert policy["podSelector"]["matchLabels"] == selector(objects, MASTER)
    assert policy["policyTypes"] == ["Ingress"]
    tester, worker = selector(objects, "flagger-loadtester"), selector(objects, WORKER)
    assert [(rule["from"], rule["ports"][0]["port"]) for rule in policy["ingress"]] == [
        ([{"podSelector": {"matchLabels": tester}}], "web"),
        ([{"podSelector": {"matchLabels": worker}}], "workers"),
    ]
    nobody = found(objects, "NetworkPolicy", WORKER)["spec"]
    assert nobody["podSelector"]["matchLabels"] == worker
    assert (nobody["policyTypes"], nobody["ingress"]) == (["Ingress", "Egress"], [])


def test_restricted_egress_leaves_the_way_to_the_master(render: Render) -> None:
    settings = ("networkPolicy.enabled=true", "networkPolicy.egress[0].ports[0].port=80")
    objects = render("loadtester", ON, *settings)
    master = {"podSelector": {"matchLabels": selector(objects, MASTER)}}
    client = found(objects, "NetworkPolicy", "flagger-loadtester-locust-client")["spec"]
    chosen = client["podSelector"]["matchLabels"]
    assert chosen == selector(objects, "flagger-loadtester")
    assert (client["policyTypes"], client["egress"]) == (["Egress"], [{"to": [master]}])
    worker = found(objects, "NetworkPolicy", WORKER)["spec"]
    assert worker["policyTypes"] == ["Ingress", "Egress"]
    assert {"to": [master]} in worker["egress"]
    assert {"ports": [{"port": 80}]} in worker["egress"]


@pytest.mark.parametrize("setting", ["locust.workers=0", "locust.enabled=2", "locust.worker=1"])
def test_values_are_checked(template: Callable[..., Any], setting: str) -> None:
    result = template("loadtester", "--set", setting)
    assert result.code == 1
    assert "don't meet the specifications of the schema" in result.errors
