"""The images of the suite: built once per content, tagged with its digest, put on the nodes.

The digest is in the tag, so that Helm starts new pods when and only when the content changed.
"""

import dataclasses
import hashlib
import os
import pathlib
from collections.abc import Iterator, Mapping
from typing import Final

from tools.cluster import gobuild, progress, settings
from tools.cluster.images import catalog, engine, suite

from e2e.suite import access, names

CONTENT: Final[Mapping[str, tuple[str, ...]]] = {
    "podinfo": ("examples/podinfo/podinfo",),
    "controller": ("libs", "services/controller", "locks/controller-clouds.txt"),
    "gatekeeper": ("libs", "services/gatekeeper", "locks/gatekeeper.txt"),
    "helmtester": ("libs", "services/helmtester", "locks/helmtester.txt"),
    "loadtester": ("libs", "services/loadtester", "locks/loadtester.txt"),
}
"""What an image is made of, besides the Dockerfile."""
LEFT_OUT: Final = {"tests", "__pycache__"}
FOREIGN: Final[Mapping[str, tuple[str, str]]] = {
    "contour": (catalog.CONTOUR_IMAGE, f"projectcontour/contour:{settings.CONTOUR}"),
    "envoy": (catalog.ENVOY_IMAGE, "envoyproxy/envoy:v1.40.0"),
    "istio": (catalog.ISTIO_IMAGE, "istio/pilot:1.31.0"),
    **{name: (tag, "") for name, tag in catalog.KNATIVE_IMAGES.items()},
    "prometheus": (catalog.PROMETHEUS_IMAGE, "prom/prometheus"),
    "skipper": (catalog.SKIPPER_IMAGE, f"zalando/skipper:{settings.SKIPPER}"),
    "traefik": (catalog.TRAEFIK_IMAGE, "traefik:v3"),
}
"""Programs of others: the image that is made here, and the one that CLUSTER=current takes unless
E2E_<NAME> says otherwise."""


@dataclasses.dataclass(frozen=True)
class Images:
    """What pods run."""

    repository: str
    """What stands before the name of a service: `flagger-py/`."""
    tags: Mapping[str, str]
    """Tag of each service's image."""
    traefik: str
    prometheus: str

    def of(self, service: str) -> str:
        """Return the complete name of a service's image."""
        return f"{self.repository}{service}:{self.tags[service]}"


def built() -> Images:
    """Return the images, after making those that are missing.

    With CLUSTER=current nothing is built: images come from where E2E_IMAGES says (such as
    `registry.example/team/flagger-`), in the version E2E_TAG.
    """
    if access.provider() == "current":
        repository = os.environ.get("E2E_IMAGES") or suite.PREFIX
        tags = dict.fromkeys(CONTENT, os.environ.get("E2E_TAG") or suite.version())
    else:
        repository, tags = suite.PREFIX, _tags()
    return Images(repository, tags, foreign("traefik"), foreign("prometheus"))


def foreign(name: str) -> str:
    """Return the image of a program of others, after making it where it is missing."""
    made, public = FOREIGN[name]
    if access.provider() == "current":
        variable = f"E2E_{name.upper().replace('-', '_')}"
        if found := os.environ.get(variable) or public:
            return found
        raise access.SuiteError(f"set {variable} to the image of {name}")
    catalog.image(made)
    return made


def load(images: Images) -> None:
    """Load the images onto the nodes; with CLUSTER=current nodes pull them."""
    if access.provider() == "current":
        return
    # The example manifests name podinfo by its version.
    own = [suite.tag("podinfo"), *(images.of(target) for target in suite.TARGETS)]
    access.load([images.traefik, images.prometheus, *own])


def _tags() -> dict[str, str]:
    """Return the tag of each target's image, after building those whose content is new."""
    tags = {target: f"{suite.version()}-{digest(target)}" for target in suite.TARGETS}
    wanted = {target: f"{suite.PREFIX}{target}:{tag}" for target, tag in tags.items()}
    there = engine.identities(list(wanted.values()))
    missing = [target for target in suite.TARGETS if wanted[target] not in there]
    if missing:
        suite.build(missing)
    for target in missing:
        engine.docker("tag", suite.tag(target), wanted[target])
        _forget(target, tags[target])
    engine.docker("tag", wanted["podinfo"], suite.tag("podinfo"))
    return tags


def _forget(target: str, kept: str) -> None:
    """Remove the tags of older contents from the engine, so that its disk does not fill up."""
    name = suite.PREFIX + target
    listed: str = engine.docker("image", "ls", "--format", "{{.Tag}}", name)
    for tag in listed.split():
        if tag.startswith(f"{suite.version()}-") and tag != kept:
            engine.docker("image", "rm", f"{name}:{tag}")
            progress.say(f"removed the older image {name}:{tag}")


def digest(target: str) -> str:
    """Return ten hexadecimal digits that change when the image of a target would."""
    whole = hashlib.sha256()
    for path in _files(target):
        whole.update(str(path.relative_to(names.ROOT)).encode() + b"\0")
        whole.update(hashlib.sha256(path.read_bytes()).digest())
    # Programs have their version in the path.
    whole.update(str(gobuild.binary("helm")).encode())
    return whole.hexdigest()[:10]


def _files(target: str) -> Iterator[pathlib.Path]:
    for name in ("Dockerfile", ".dockerignore", *CONTENT[target]):
        path = names.ROOT / name
        if path.is_file():
            yield path
            continue
        for file in sorted(path.rglob("*")):
            if file.is_file() and not LEFT_OUT.intersection(file.relative_to(path).parts):
                yield file
