"""Custom resource definitions of routers' vendors, out of the Go modules that they publish."""

import dataclasses
import json
import os
import pathlib
import shutil
import subprocess
from collections.abc import Iterator
from typing import Any, Final

import yaml
from tools.cluster import cache, progress, settings

Object = dict[str, Any]


@dataclasses.dataclass(frozen=True)
class Vendor:
    """A module, and which of its files have definitions."""

    module: str
    version: str
    digest: str
    """What Go calls the `h1:` sum of the module."""
    files: str
    """A pattern of paths within the module."""
    kinds: tuple[str, ...] = ()
    """Plurals that are taken; empty: all."""


VENDORS: Final = {
    "contour": Vendor(
        "github.com/projectcontour/contour",
        settings.CONTOUR,
        "QoOfwqWws+CVRFpsRC2+f1DmB5IdurtyUtepIsiWfE0=",
        "examples/contour/01-crds.yaml",
    ),
    "gateway-api": Vendor(
        "sigs.k8s.io/gateway-api",
        "v1.6.3",
        "lKpJa5bGlraC/QeACvCpsHLdmO6y0iKfzVl6gzaFEYc=",
        "config/crd/standard/gateway.networking.k8s.io_*.yaml",
    ),
    "gateway-api-experimental": Vendor(
        "sigs.k8s.io/gateway-api",
        "v1.6.3",
        "lKpJa5bGlraC/QeACvCpsHLdmO6y0iKfzVl6gzaFEYc=",
        "config/crd/experimental/gateway.networking.k8s.io_*.yaml",
    ),
    "istio": Vendor(
        "istio.io/api",
        "v1.32.0",
        "37mJvg9I0biYZAEQF+MATs4FNeCpXEIVO3LFpVb6iNM=",
        "kubernetes/customresourcedefinitions.gen.yaml",
        ("destinationrules", "gateways", "virtualservices"),
    ),
    "knative": Vendor(
        "knative.dev/serving",
        settings.KNATIVE,
        "he1NlNTnrLyamM4a2XL5mNeiTL8jTAuEqqf7y7WOoI8=",
        "config/core/300-resources/*.yaml",
    ),
    "knative-networking": Vendor(
        "knative.dev/networking",
        "v0.0.0-20260529061306-c8de379770b9",
        "onK4mrH2hyZ+XQAlj8RrawQ/TxoKxQtx1OvjvGBC/Es=",
        "config/*.yaml",
    ),
    "traefik": Vendor(
        "github.com/traefik/traefik/v3",
        "v3.7.13",
        "T8wy9KuaFzCkmXCqAzDy7t73pBDR1DHrJe3pqXpNXTw=",
        "docs/content/reference/dynamic-configuration/traefik.io_*.yaml",
    ),
}


def definitions(name: str) -> list[Object]:
    """The CustomResourceDefinitions of a vendor, downloaded once.

    Raises:
        ClusterError: there is no Go here, the module cannot be had, or is not the pinned one.
    """
    vendor = VENDORS[name]
    key = f"crds-{name}-{vendor.version}-{settings.digest([repr(vendor)])}"
    folder = cache.made(key, lambda target: _download(vendor, target))
    bodies = [body for path in sorted(folder.glob("*.yaml")) for body in read(path)]
    plurals = vendor.kinds or [body["spec"]["names"]["plural"] for body in bodies]
    return [body for body in bodies if body["spec"]["names"]["plural"] in plurals]


def read(path: pathlib.Path) -> Iterator[Object]:
    """The definitions in a YAML file."""
    with path.open() as file:
        for body in yaml.load_all(file, _LOADER):
            if body and body["kind"] == "CustomResourceDefinition":
                yield body


def _download(vendor: Vendor, folder: pathlib.Path) -> None:
    go = shutil.which("go") or shutil.which("go", path="/usr/local/go/bin")
    if not go:
        raise settings.ClusterError(f"{vendor.module} comes as a Go module: no `go` here")
    with progress.step(f"downloading {vendor.module} {vendor.version}"):
        done = subprocess.run(
            [go, "mod", "download", "-json", f"{vendor.module}@{vendor.version}"],
            cwd=folder,
            env={**os.environ, "GOFLAGS": "-mod=mod", "GOWORK": "off"},
            capture_output=True,
            text=True,
        )
    if done.returncode != 0:
        raise settings.ClusterError(f"no {vendor.module}:\n{done.stdout}{done.stderr}")
    found = json.loads(done.stdout)
    if found["Sum"] != f"h1:{vendor.digest}":
        raise settings.ClusterError(
            f"{vendor.module} {vendor.version} is not the pinned one: {found['Sum']}"
        )
    for path in pathlib.Path(found["Dir"]).glob(vendor.files):
        (folder / path.name).write_bytes(path.read_bytes())


_LOADER: Final = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""The fast one, where PyYAML was built with it."""
