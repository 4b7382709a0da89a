"""External metrics through a real APIService: as a pod of the chart, by way of the API server."""

import pathlib
import urllib.parse
from collections.abc import AsyncIterator, Iterator

import pytest
from tools.cluster.controlplane import ControlPlane

from flagger_controller import net
from flagger_controller.api.metrictemplate import MetricTemplateProvider
from flagger_controller.clock import utc
from flagger_controller.cluster.http import HttpClient
from flagger_controller.cluster.login import load
from flagger_controller.metrics.base import (
    Context,
    NoValues,
    Setup,
    SourceError,
    SourceTimeout,
)
from flagger_controller.metrics.externalmetrics import ExternalMetrics

from .account import RBAC, user_of
from .adapter import GROUP, ROOT, Adapter, registered

pytestmark = pytest.mark.api

VALUES = {"queue-length": ["1500m"], "idle": [], "several": ["2", "1k"]}


@pytest.fixture
def adapter(control_plane: ControlPlane, namespace: str) -> Iterator[Adapter]:
    with control_plane.client() as admin, registered(admin, namespace, VALUES) as adapter:
        yield adapter


@pytest.fixture
async def source(
    control_plane: ControlPlane, namespace: str, tmp_path: pathlib.Path
) -> AsyncIterator[ExternalMetrics]:
    """The source in a pod: its account has the chart's rights, in its own namespace only."""
    place = f"namespaces/{namespace}"
    name = {"metadata": {"name": "flagger"}}
    rule = {"apiGroups": [GROUP], "resources": ["*"], "verbs": ["get", "list"]}
    role = {"apiGroup": RBAC, "kind": "Role", "name": "flagger"}
    subject = {"kind": "ServiceAccount", "name": "flagger", "namespace": namespace}
    binding = {**name, "roleRef": role, "subjects": [subject]}
    with control_plane.client() as admin:
        accounts = f"/api/v1/{place}/serviceaccounts"
        admin.create(accounts, name)
        admin.create(f"/apis/{RBAC}/v1/{place}/roles", {**name, "rules": [rule]})
        admin.create(f"/apis/{RBAC}/v1/{place}/rolebindings", binding)
        admin.await_right(user_of(namespace), "get", "any", group=GROUP, namespace=namespace)
        token = admin.create(f"{accounts}/flagger/token", {"spec": {}})["status"]["token"]
    (tmp_path / "token").write_text(token)
    (tmp_path / "ca.crt").write_bytes(control_plane.ca_file.read_bytes())
    url = urllib.parse.urlsplit(control_plane.url)
    address = {
        "KUBERNETES_SERVICE_HOST": str(url.hostname),
        "KUBERNETES_SERVICE_PORT": str(url.port),
    }
    client = HttpClient(load(service_account=tmp_path, environment=address))
    async with net.Http() as http:
        provider = MetricTemplateProvider(type="externalmetrics")
        yield ExternalMetrics(Setup(provider, {}, "1m", Context(http, client, utc)))
    await client.close()


async def test_a_value(source: ExternalMetrics, adapter: Adapter, namespace: str) -> None:
    await source.online()
    assert await source.query(f"{namespace}/queue-length?labelSelector=app%3Dshop") == 1.5
    (asked,) = adapter.asked
    assert asked.path == f"{ROOT}/namespaces/{namespace}/queue-length"
    assert asked.parameters == {"labelSelector": "app=shop", "timeout": "5s"}
    assert asked.user == f"system:serviceaccount:{namespace}:flagger"
    assert f"system:serviceaccounts:{namespace}" in asked.groups.split(",")
    assert not asked.authorization, "tokens stay with the API server"


async def test_the_first_of_several(
    source: ExternalMetrics, adapter: Adapter, namespace: str
) -> None:
    assert await source.query(f"{namespace}/several") == 2
    with pytest.raises(NoValues):
        await source.query(f"{namespace}/idle")


async def test_no_such_metric(source: ExternalMetrics, adapter: Adapter, namespace: str) -> None:
    with pytest.raises(SourceError, match="API: the server could not find the metric none for "):
        await source.query(f"{namespace}/none")
    assert len(adapter.asked) == 1


async def test_without_the_right(source: ExternalMetrics, adapter: Adapter, namespace: str) -> None:
    user = f'User "system:serviceaccount:{namespace}:flagger" cannot list resource "queue-length"'
    with pytest.raises(SourceError, match=f"is forbidden: {user} .*; add externalmetrics to rbac"):
        await source.query("kube-system/queue-length")
    assert not adapter.asked


async def test_an_adapter_that_has_gone(
    source: ExternalMetrics, adapter: Adapter, namespace: str
) -> None:
    """Its absence is told, and not taken for its silence."""
    adapter.stop()
    told = r"API: (error trying to reach service: .* refused|service unavailable); see kubectl "
    with pytest.raises(SourceError, match=told) as query:
        await source.query(f"{namespace}/queue-length")
    with pytest.raises(SourceError, match=told) as online:
        await source.online()
    assert SourceTimeout not in (query.type, online.type)


async def test_a_cluster_without_an_adapter(source: ExternalMetrics, namespace: str) -> None:
    told = "404 page not found; no adapter is registered"
    with pytest.raises(SourceError, match=told):
        await source.query(f"{namespace}/queue-length")
    with pytest.raises(SourceError, match=told):
        await source.online()
