"""The generated CRDs: current, structural, and a superset of what upstream accepts."""

import pathlib
from collections.abc import Iterator
from typing import Any

import jsonschema
import pytest
import yaml

from flagger_controller.api import crds
from flagger_controller.api.alertprovider import AlertProvider
from flagger_controller.api.base import Object
from flagger_controller.api.canary import Canary
from flagger_controller.api.metrictemplate import MetricTemplate

ROOT = pathlib.Path(__file__).parents[5]
DOCUMENTS = pathlib.Path(__file__).parent / "documents"
MODELS: dict[str, type[Canary | MetricTemplate | AlertProvider]] = {
    "Canary": Canary,
    "MetricTemplate": MetricTemplate,
    "AlertProvider": AlertProvider,
}
SCHEMAS: dict[str, Object] = {kind.name: crds.open_api(kind) for kind in crds.KINDS}
FORBIDDEN = {"$ref", "title", "nullable", "const", "allOf", "definitions"}
TYPES = {"object", "array", "string", "integer", "number", "boolean"}


def documents() -> list[Any]:
    return [
        pytest.param(body, id=f"{path.stem}-{body['kind']}-{body['metadata']['name']}")
        for path in sorted(DOCUMENTS.glob("*.yaml"))
        for body in yaml.safe_load_all(path.read_text())
    ]


def errors(body: Object) -> list[str]:
    validator = jsonschema.Draft202012Validator(SCHEMAS[body["kind"]])
    return [error.json_path for error in validator.iter_errors(body)]


def pruned(schema: Object, value: Any, path: str = "$") -> Iterator[str]:
    """What the API server drops because the schema does not know it."""
    if isinstance(value, dict) and "properties" in schema:
        for name, item in value.items():
            if name not in schema["properties"]:
                yield f"{path}.{name}"
            else:
                yield from pruned(schema["properties"][name], item, f"{path}.{name}")
    if isinstance(value, list):
        for item in value:
            yield from pruned(schema.get("items", {}), item, f"{path}[]")


def nodes(schema: Object, path: str) -> Iterator[tuple[str, Object]]:
    yield path, schema
    for name, part in schema.get("properties", {}).items():
        yield from nodes(part, f"{path}.{name}")
    if "items" in schema:
        yield from nodes(schema["items"], f"{path}[]")
    if "additionalProperties" in schema:
        yield from nodes(schema["additionalProperties"], f"{path}{{}}")


def all_nodes() -> list[tuple[str, Object]]:
    return [node for kind, schema in SCHEMAS.items() for node in nodes(schema, kind)]


def canary(**spec: Any) -> Object:
    base = {
        "targetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "podinfo"},
        "service": {"port": 80},
        "analysis": {"interval": "10s", "threshold": 2, "stepWeight": 25},
    }
    merged = {key: value for key, value in (base | spec).items() if value is not None}
    return {"kind": "Canary", "metadata": {"name": "podinfo"}, "spec": merged}


def analysis(**fields: Any) -> Object:
    base = {"interval": "10s", "threshold": 2, "stepWeight": 25}
    merged = {key: value for key, value in (base | fields).items() if value is not None}
    return canary(analysis=merged)


def service(**fields: Any) -> Object:
    return canary(service={"port": 80} | fields)


def other(kind: str, **spec: Any) -> Object:
    return {"kind": kind, "metadata": {"name": "x"}, "spec": spec}


def test_the_charts_file_is_current() -> None:
    written = (ROOT / "charts/flagger/crds/crd.yaml").read_text()
    assert list(yaml.safe_load_all(written)) == crds.definitions(), "run tools/crds.py"
    assert "&id" not in written


@pytest.mark.parametrize("crd", crds.definitions(), ids=lambda crd: str(crd["metadata"]["name"]))
def test_registration(crd: Object) -> None:
    spec, names = crd["spec"], crd["spec"]["names"]
    assert crd["metadata"]["name"] == f"{names['plural']}.flagger.app"
    assert crd["metadata"]["annotations"] == {"helm.sh/resource-policy": "keep"}
    assert (spec["group"], spec["scope"], names["categories"]) == (
        "flagger.app",
        "Namespaced",
        ["all"],
    )
    assert (names["singular"], names["listKind"]) == (
        names["kind"].lower(),
        f"{names['kind']}List",
    )
    (version,) = spec["versions"]
    assert (version["name"], version["served"], version["storage"]) == ("v1beta1", True, True)
    assert version["subresources"] == {"status": {}}


def test_columns_are_upstreams_and_the_age_at_the_end() -> None:
    version = crds.definitions()[0]["spec"]["versions"][0]
    columns = [(c["name"], c.get("priority", 0)) for c in version["additionalPrinterColumns"]]
    assert columns == [
        ("Status", 0),
        ("Weight", 0),
        ("Suspended", 1),
        ("FailedChecks", 1),
        ("Interval", 1),
        ("Mirror", 1),
        ("StepWeight", 1),
        ("StepWeights", 1),
        ("MaxWeight", 1),
        ("LastTransitionTime", 0),
        ("Age", 0),
    ]


def test_schemas_are_structural() -> None:
    for path, schema in all_nodes():
        assert not {"$ref", "title", "nullable", "const", "allOf", "definitions"} & set(schema), (
            path
        )
        if schema.get("x-kubernetes-int-or-string"):
            assert "type" not in schema, path
        else:
            assert schema["type"] in TYPES, path
        assert not ("properties" in schema and "additionalProperties" in schema), path
        assert schema.get("type") != "array" or "items" in schema, path
        for name in schema.get("required", []):
            assert name in schema["properties"], path


def test_rules_between_fields_define_no_fields() -> None:
    allowed = {"required", "not", "anyOf"}
    for path, schema in all_nodes():
        for branch in schema.get("oneOf", []):
            assert set(branch) <= allowed, path


def test_nothing_is_free_form() -> None:
    """A free-form object would be emptied by pruning."""
    for path, schema in all_nodes():
        if schema.get("type") == "object" and not path.endswith(".metadata"):
            assert "properties" in schema or "additionalProperties" in schema, path


def test_only_documented_defaults() -> None:
    defaults = {path: schema["default"] for path, schema in all_nodes() if "default" in schema}
    assert defaults == {
        "Canary.spec.analysis.sessionAffinity.maxAge": 86400,
        "Canary.spec.service.gatewayRefs[].group": "gateway.networking.k8s.io",
        "Canary.spec.service.gatewayRefs[].kind": "Gateway",
        "Canary.spec.service.mirror[].backendRef.group": "",
        "Canary.spec.service.mirror[].backendRef.kind": "Service",
    }


def test_fields_of_the_specs_are_explained() -> None:
    told = ("metadata", "name", "namespace", "apiVersion", "kind")
    for path, schema in all_nodes():
        _, _, rest = path.partition(".spec.")
        if rest.count(".") == 0 and rest and not rest.endswith(told) and "[" not in rest:
            assert "description" in schema or rest.endswith("{}"), path


@pytest.mark.parametrize("body", documents())
def test_recorded_documents_are_valid_and_decode(body: Object) -> None:
    assert errors(body) == []
    assert list(pruned(SCHEMAS[body["kind"]], {"spec": body["spec"]})) == []
    assert MODELS[body["kind"]].model_validate(body).metadata.name == body["metadata"]["name"]


VALID = [
    canary(),
    canary(service=None),
    canary(provider="gatewayapi:v1", skipAnalysis=True, revertOnDeletion=True, suspend=False),
    canary(progressDeadlineSeconds=60.0),
    canary(autoscalerRef={"apiVersion": "a", "kind": "ScaledObject", "name": "x",
                          "primaryScalerReplicas": {"minReplicas": 0, "maxReplicas": 1},
                          "primaryScalerQueries": {"a": "b"}}),
    canary(upstreamRef={"apiVersion": "a", "kind": "Upstream", "name": "x", "namespace": "y"}),
    analysis(interval="1m30s"),
    analysis(interval="5mfoo"),
    analysis(interval="1h"),
    analysis(stepWeight=None, iterations=3),
    analysis(stepWeight=None, stepWeights=[1, 2.0, 50]),
    analysis(stepWeight=2.0, maxWeight=500, mirrorWeight=-1),
    analysis(match=[{"headers": {"x": {"suffix": "y"}}, "queryParams": {"q": {}}}]),
    analysis(metrics=[{"name": "request-success-rate", "threshold": 99.5}]),
    analysis(webhooks=[{"name": "h", "url": "http://x", "type": "", "retries": 3}]),
    analysis(webhooks=[{"name": "h", "url": "http://x", "type": "confirm-traffic-increase"}]),
    analysis(alerts=[{"name": "a", "severity": "", "providerRef": {"name": "x"}}]),
    analysis(sessionAffinity={"cookieName": "c", "sameSite": "Lax", "maxAge": 60}),
    service(targetPort="http"),
    service(targetPort=8080),
    service(trafficPolicy={"loadBalancer": {"simple": "RANDOM"}, "tls": {"mode": "ISTIO_MUTUAL"}}),
    service(trafficPolicy={"loadBalancer": {"consistentHash": {"useSourceIp": True}}}),
    service(trafficPolicy={"connectionPool": {"tcp": {"maxConnections": 1}}}),
    service(corsPolicy={"allowOrigins": [{"exact": "x"}, {"regex": ".*"}], "allowOrigin": ["*"]}),
    service(match=[{"uri": {"prefix": "/"}, "withoutHeaders": {"a": {"exact": "b"}}, "port": 80}]),
    service(headers={"request": {"add": {"a": "b"}, "remove": ["c"]}}),
    service(gatewayRefs=[{"name": "g", "namespace": "n", "port": 80, "group": ""}]),
    service(mirror=[{"backendRef": {"name": "x", "port": 80}}]),
    service(apex={"labels": {"a": "b"}}, unmanagedMetadata={"labels": ["c"]}),
    other("MetricTemplate", provider={"type": "prometheus", "headers": {"a": ["b"]}}, query="q"),
    other("AlertProvider", type="slack", address="http://x"),
    other("AlertProvider", type="gchat", secretRef={"name": "x"}),
    other("AlertProvider", type="slack", address="a", secretRef={"name": "x"}),
]  # fmt: skip

INVALID = [
    ("$", {"kind": "Canary", "metadata": {}}),
    ("$.spec", canary(targetRef=None)),
    ("$.spec", canary(analysis=None)),
    ("$.spec.provider", canary(provider="gatewayapi")),
    ("$.spec.targetRef.kind", canary(targetRef={"apiVersion": "a", "kind": "Job", "name": "x"})),
    ("$.spec.targetRef", canary(targetRef={"kind": "Deployment", "name": "x"})),
    (
        "$.spec.autoscalerRef.kind",
        canary(autoscalerRef={"apiVersion": "a", "kind": "VPA", "name": "x"}),
    ),
    ("$.spec.ingressRef.kind", canary(ingressRef={"apiVersion": "a", "kind": "X", "name": "x"})),
    ("$.spec.progressDeadlineSeconds", canary(progressDeadlineSeconds="60")),
    ("$.spec.analysis", analysis(interval=None)),
    ("$.spec.analysis", analysis(threshold=None)),
    ("$.spec.analysis", analysis(stepWeight=None)),
    ("$.spec.analysis", analysis(iterations=3)),
    ("$.spec.analysis", analysis(stepWeights=[1])),
    ("$.spec.analysis.interval", analysis(interval="soon")),
    ("$.spec.analysis.interval", analysis(interval="1d")),
    ("$.spec.analysis.stepWeight", analysis(stepWeight=0.5)),
    ("$.spec.analysis.match[0].headers.x", analysis(match=[{"headers": {"x": {}}}])),
    (
        "$.spec.analysis.match[0].headers.x",
        analysis(match=[{"headers": {"x": {"exact": "a", "prefix": "b"}}}]),
    ),
    (
        "$.spec.analysis.match[0].queryParams.x",
        analysis(match=[{"queryParams": {"x": {"exact": "a", "prefix": "b"}}}]),
    ),
    ("$.spec.analysis.metrics[0]", analysis(metrics=[{"interval": "1m"}])),
    ("$.spec.analysis.metrics[0].interval", analysis(metrics=[{"name": "a", "interval": "x"}])),
    ("$.spec.analysis.webhooks[0]", analysis(webhooks=[{"name": "h"}])),
    (
        "$.spec.analysis.webhooks[0].type",
        analysis(webhooks=[{"name": "h", "url": "http://x", "type": "later"}]),
    ),
    (
        "$.spec.analysis.alerts[0].severity",
        analysis(alerts=[{"name": "a", "severity": "fatal", "providerRef": {"name": "x"}}]),
    ),
    ("$.spec.analysis.sessionAffinity", analysis(sessionAffinity={"maxAge": 1})),
    (
        "$.spec.analysis.sessionAffinity.sameSite",
        analysis(sessionAffinity={"cookieName": "c", "sameSite": "lax"}),
    ),
    ("$.spec.service", canary(service={})),
    ("$.spec.service.trafficDistribution", service(trafficDistribution="Near")),
    ("$.spec.service.match[0].uri", service(match=[{"uri": {"exact": "a", "regex": "b"}}])),
    ("$.spec.service.trafficPolicy.loadBalancer", service(trafficPolicy={"loadBalancer": {}})),
    ("$.spec.service.gatewayRefs[0]", service(gatewayRefs=[{}])),
    ("$.spec.service.gatewayRefs[0].port", service(gatewayRefs=[{"name": "g", "port": 0}])),
    ("$.spec.service.mirror[0]", service(mirror=[{}])),
    ("$.spec.service.corsPolicy.allowOrigins[0]", service(corsPolicy={"allowOrigins": [{}]})),
    ("$.spec", other("MetricTemplate", provider={"type": "prometheus"})),
    ("$.spec.provider.type", other("MetricTemplate", provider={"type": "x"}, query="q")),
    ("$.spec", other("AlertProvider", type="slack")),
    ("$.spec.card", other("AlertProvider", type="msteams", address="a", card="x")),
    ("$.spec.type", other("AlertProvider", type="irc", address="a")),
]


@pytest.mark.parametrize("body", VALID, ids=str)
def test_valid_documents(body: Object) -> None:
    assert errors(body) == []
    assert list(pruned(SCHEMAS[body["kind"]], {"spec": body["spec"]})) == []
    MODELS[body["kind"]].model_validate(body)


@pytest.mark.parametrize(("path", "body"), INVALID, ids=str)
def test_invalid_documents(path: str, body: Object) -> None:
    assert path in errors(body)


@pytest.mark.parametrize(
    "body",
    [
        canary(canaryAnalysis={}),
        analysis(match=[{"uri": {"exact": "/"}}]),
        service(match=[{"uri": {"suffix": "x"}}]),
        service(unknown=1),
    ],
)
def test_what_upstream_prunes_is_pruned(body: Object) -> None:
    assert len(list(pruned(SCHEMAS["Canary"], {"spec": body["spec"]}))) == 1


def test_our_own_status_is_valid() -> None:
    """Also the status of upstream, whose fields are numbers of any kind."""
    status = {
        "phase": "Progressing",
        "canaryWeight": 25,
        "failedChecks": 0,
        "iterations": -1,
        "trackedConfigs": {"configmap/a": "74234e98afe7498f"},
        "conditions": [{"type": "Promoted", "status": "Unknown", "reason": "Progressing"}],
        "run": {"route": {"primary": 75, "canary": 25}, "obligation": "rollback"},
    }
    built = Canary.from_api(canary() | {"status": status})
    for stored in (status, built.status.to_api(), Canary.from_api(canary()).status.to_api()):
        body = canary() | {"status": stored}
        assert errors(body) == []
        assert list(pruned(SCHEMAS["Canary"], {"status": stored})) == []
