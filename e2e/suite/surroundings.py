"""What the suite needs around it and a user has already: an ingress controller, a Prometheus."""

import hashlib
import pathlib
from collections.abc import Mapping
from typing import Final

import yaml

from e2e.suite import images, kube, names

MANIFESTS: Final = pathlib.Path(__file__).parent / "manifests"
CONFIGURATION: Final = ("prometheus.yml", "targets.py")


def objects(found: images.Images | None = None) -> list[kube.Object]:
    """Return all objects; without images when only their names matter."""
    data = {name: (MANIFESTS / name).read_text() for name in CONFIGURATION}
    checksum = hashlib.sha256("".join(data.values()).encode()).hexdigest()
    replacements = {"CHECKSUM": checksum}
    if found:
        replacements |= {
            "TRAEFIK_IMAGE": found.traefik,
            "PROMETHEUS_IMAGE": found.prometheus,
            "PYTHON_IMAGE": found.of("podinfo"),
        }
    text = "\n---\n".join((MANIFESTS / f"{n}.yaml").read_text() for n in ("traefik", "prometheus"))
    config: kube.Object = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": names.PROMETHEUS, "namespace": names.SYSTEM},
        "data": data,
    }
    return [config, *filled(text, replacements)]


def filled(text: str, replacements: Mapping[str, str]) -> list[kube.Object]:
    """Return the objects of a manifest, with words of it replaced."""
    for word, value in replacements.items():
        text = text.replace(word, value)
    return [body for body in yaml.safe_load_all(text) if body]
