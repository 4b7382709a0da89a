"""The chart of Grafana: values of upstream's, provisioning, and who may do what."""

import json
import pathlib
from collections.abc import Callable
from typing import Any

import yaml

Object = dict[str, Any]
Render = Callable[..., list[Object]]


def of(objects: list[Object], kind: str, name: str = "flagger-grafana") -> Object:
    (found,) = (o for o in objects if o["kind"] == kind and o["metadata"]["name"] == name)
    return found


def container(objects: list[Object]) -> Object:
    (found,) = of(objects, "Deployment")["spec"]["template"]["spec"]["containers"]
    return dict(found)


def environment(objects: list[Object]) -> Object:
    return {each["name"]: each.get("value") for each in container(objects)["env"]}


def test_without_a_password_people_may_only_look(render: Render) -> None:
    """Upstream's chart makes everybody an administrator."""
    objects = render("grafana")
    found = environment(objects)
    assert found["GF_AUTH_ANONYMOUS_ENABLED"] == "true"
    assert found["GF_AUTH_ANONYMOUS_ORG_ROLE"] == "Viewer"
    assert found["GF_AUTH_BASIC_ENABLED"] == "false"
    assert found["GF_AUTH_DISABLE_LOGIN_FORM"] == "true"
    assert "Secret" not in {each["kind"] for each in objects}


def test_with_a_password_people_log_in(render: Render) -> None:
    objects = render("grafana", "user=boss", "password=s3cret")
    found = environment(objects)
    assert found["GF_SECURITY_ADMIN_USER"] == "boss"
    assert not any(name.startswith("GF_AUTH") for name in found)
    assert of(objects, "Secret")["stringData"] == {"password": "s3cret"}
    assert "s3cret" not in json.dumps(of(objects, "Deployment"))
    (password,) = [
        each for each in container(objects)["env"] if each["name"] == "GF_SECURITY_ADMIN_PASSWORD"
    ]
    reference = {"name": "flagger-grafana", "key": "password"}
    assert password["valueFrom"]["secretKeyRef"] == reference


def test_values_of_upstreams_grafana_are_accepted(render: Render) -> None:
    objects = render(
        "grafana",
        "replicaCount=2",
        "image.repository=mine",
        "image.tag=v1",
        "service.type=NodePort",
        "service.port=8080",
        "podAnnotations.team=a",
        "resources.limits.cpu=2",
        "nodeSelector.disk=ssd",
        "password=null",
        "url=http://p:1",
        "token=old",
    )
    assert of(objects, "Deployment")["spec"]["replicas"] == 2
    assert container(objects)["image"] == "mine:v1"
    service = of(objects, "Service")["spec"]
    assert (service["type"], service["ports"][0]["port"]) == ("NodePort", 8080)
    assert render("grafana", "token=old") == render("grafana")


def test_the_data_source(render: Render) -> None:
    text = of(render("grafana", "url=http://p:1"), "ConfigMap")["data"]["datasources.yaml"]
    (source,) = yaml.safe_load(text)["datasources"]
    assert (source["name"], source["type"], source["access"]) == (
        *("prometheus", "prometheus"),
        "proxy",
    )
    assert (source["url"], source["isDefault"]) == ("http://p:1", True)


def test_dashboards_are_where_the_provider_looks(render: Render, root: pathlib.Path) -> None:
    objects = render("grafana")
    text = of(objects, "ConfigMap")["data"]["providers.yaml"]
    (provider,) = yaml.safe_load(text)["providers"]
    mounts = {each["mountPath"]: each for each in container(objects)["volumeMounts"]}
    assert mounts[provider["options"]["path"]]["name"] == "dashboards"
    for name in ("datasources/datasources.yaml", "dashboards/providers.yaml"):
        assert mounts[f"/etc/grafana/provisioning/{name}"]["subPath"] == pathlib.Path(name).name
    shipped = of(objects, "ConfigMap", "flagger-grafana-dashboards")["data"]
    files = sorted((root / "charts/grafana/dashboards").glob("*.json"))
    assert shipped == {path.name: path.read_text() for path in files}
    assert sum(map(len, shipped.values())) < 900_000, "a ConfigMap has a limit of a megabyte"
    home = environment(objects)["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"]
    assert pathlib.Path(home).name in shipped


def test_another_configuration_is_another_pod(render: Render) -> None:
    def checksum(*settings: str) -> str:
        template = of(render("grafana", *settings), "Deployment")["spec"]["template"]
        return str(template["metadata"]["annotations"]["checksum/config"])

    assert len({checksum(), checksum("url=http://p:1"), checksum("password=x")}) == 3


def test_it_can_write_where_it_must(render: Render) -> None:
    objects = render("grafana")
    mounts = {each["mountPath"] for each in container(objects)["volumeMounts"]}
    assert {"/var/lib/grafana", "/tmp"} <= mounts
    for probe in ("livenessProbe", "readinessProbe"):
        assert container(objects)[probe]["httpGet"] == {"path": "/api/health", "port": "http"}
