"""Custom resource definitions: ours from the chart, Traefik's minimal, Gateway API's from Go."""

import json
import os
import pathlib
import shutil
import subprocess
from typing import Any, Final

import yaml
from tools.cluster import cache, progress, settings

from e2e.suite import access, kube, names, wait

OWN: Final = names.CHARTS / "flagger" / "crds" / "crd.yaml"

TRAEFIK: Final = {
    "ingressroutes": "IngressRoute",
    "ingressroutetcps": "IngressRouteTCP",
    "ingressrouteudps": "IngressRouteUDP",
    "middlewares": "Middleware",
    "middlewaretcps": "MiddlewareTCP",
    "serverstransports": "ServersTransport",
    "serverstransporttcps": "ServersTransportTCP",
    "tlsoptions": "TLSOption",
    "tlsstores": "TLSStore",
    "traefikservices": "TraefikService",
}
"""Plural and kind. Traefik watches all of them and waits for those that are missing."""

GATEWAY_MODULE: Final = "sigs.k8s.io/gateway-api"
GATEWAY_VERSION: Final = "v1.6.3"
"""What Traefik 3.7.15 is built with."""
GATEWAY_PINS: Final = pathlib.Path(__file__).parent / "gateway"
"""go.mod and go.sum of a module that needs nothing but Gateway API."""
GATEWAY_GROUP: Final = "gateway.networking.k8s.io"
BUNDLE: Final = f"{GATEWAY_GROUP}/bundle-version"

_ANYTHING: Final = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
_BACKENDS: Final[dict[str, Any]] = {
    "type": "array",
    "items": {
        "type": "object",
        "required": ["name"],
        "properties": {
            "kind": {"type": "string", "enum": ["Service", "TraefikService"]},
            "name": {"type": "string"},
            "namespace": {"type": "string"},
            "port": {
                "anyOf": [{"type": "integer"}, {"type": "string"}],
                "x-kubernetes-int-or-string": True,
            },
            "weight": {"type": "integer", "minimum": 0},
        },
        "x-kubernetes-preserve-unknown-fields": True,
    },
}
_WEIGHTED: Final = {
    "type": "object",
    "properties": {
        "weighted": {
            "type": "object",
            "properties": {"services": _BACKENDS},
            "x-kubernetes-preserve-unknown-fields": True,
        }
    },
    "x-kubernetes-preserve-unknown-fields": True,
}
"""The one kind that the controller writes is checked, as Traefik's own definition would."""


def traefik(plural: str, kind: str) -> kube.Object:
    """Return a definition that is enough for Traefik's Kubernetes provider."""
    spec = _WEIGHTED if kind == "TraefikService" else _ANYTHING
    schema = {"type": "object", "properties": {"spec": spec}}
    version = {"name": "v1alpha1", "served": True, "storage": True}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.traefik.io"},
        "spec": {
            "group": "traefik.io",
            "names": {
                "kind": kind,
                "listKind": f"{kind}List",
                "plural": plural,
                "singular": kind.lower(),
            },
            "scope": "Namespaced",
            "versions": [{**version, "schema": {"openAPIV3Schema": schema}}],
        },
    }


def apply(api: kube.Kube) -> None:
    """Create or update all definitions and wait until the API server serves them."""
    definitions = [traefik(plural, kind) for plural, kind in TRAEFIK.items()]
    with OWN.open() as file:
        definitions += [body for body in yaml.load_all(file, _LOADER) if body]
    applied = [str(api.apply(body)["metadata"]["name"]) for body in definitions]
    for name, text in _gateway().items():
        live = api.find("CustomResourceDefinition", name)
        bundle = live["metadata"].get("annotations", {}).get(BUNDLE) if live else ""
        if bundle != GATEWAY_VERSION:
            api.apply_text(kube.path("CustomResourceDefinition", name=name), text)
        applied.append(name)
    wait.until(
        "custom resource definitions",
        lambda: all(_established(api, name) for name in applied),
        seconds=60,
    )


def _established(api: kube.Kube, name: str) -> bool:
    status = api.get("CustomResourceDefinition", name).get("status", {})
    return any(
        condition["type"] == "Established" and condition["status"] == "True"
        for condition in status.get("conditions", [])
    )


def _gateway() -> dict[str, str]:
    """Return name and text of Gateway API's definitions, of its standard channel."""
    pins = settings.digest([(GATEWAY_PINS / "go.sum").read_bytes()])
    folder = cache.made(f"gateway-api-{GATEWAY_VERSION}-{pins}", _download)
    return {
        f"{path.stem.removeprefix(GATEWAY_GROUP + '_')}.{GATEWAY_GROUP}": path.read_text()
        for path in sorted(folder.glob("*.yaml"))
    }


def _download(folder: pathlib.Path) -> None:
    go = shutil.which("go") or shutil.which("go", path="/usr/local/go/bin")
    if not go:
        raise access.SuiteError("Gateway API comes as a Go module: no `go` here")
    with progress.step(f"downloading Gateway API {GATEWAY_VERSION}"):
        done = subprocess.run(
            [go, "mod", "download", "-json", GATEWAY_MODULE],
            cwd=GATEWAY_PINS,
            env={**os.environ, "GOFLAGS": "-mod=readonly", "GOWORK": "off"},
            capture_output=True,
            text=True,
        )
    if done.returncode != 0:
        raise access.SuiteError(f"could not download Gateway API:\n{done.stdout}{done.stderr}")
    module = pathlib.Path(json.loads(done.stdout)["Dir"])
    for path in module.glob(f"config/crd/standard/{GATEWAY_GROUP}_*.yaml"):
        # Policies against downgrades are no definitions.
        if "_vap_" not in path.name:
            (folder / path.name).write_bytes(path.read_bytes())


_LOADER: Final = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""The fast one, where PyYAML was built with it."""
