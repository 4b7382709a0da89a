"""Data planes beside Traefik: installed for the tests that play on one, and removed after them."""

import contextlib
import dataclasses
from collections.abc import Iterator, Mapping
from typing import Final

from tools.cluster import progress
from tools.cluster.images import catalog

from e2e.suite import access, crds, diagnosis, images, ingress, kube, names, surroundings, wait

READY_SECONDS: Final = 240.0
GONE_SECONDS: Final = 120.0


@dataclasses.dataclass(frozen=True)
class DataPlane:
    """What moves traffic. Its manifest is `e2e/dataplanes/<name>.yaml`."""

    name: str
    """Also of its namespace, and of the Service that clients come in through."""
    programs: tuple[str, ...]
    """Names in images.FOREIGN; the manifest has `<NAME>_IMAGE` for each."""
    vendors: tuple[str, ...] = ()
    """Whose custom resource definitions it reads, besides crds.VENDORS. They stay: they cost
    nothing, and removing them would remove objects of others."""

    def objects(self, found: Mapping[str, str] | None = None) -> list[kube.Object]:
        """Return all objects, the namespace first.

        Args:
            found: image of each program; None when only the objects' names matter.
        """
        text = (names.DATA_PLANES / f"{self.name}.yaml").read_text()
        words = {
            f"{program.upper().replace('-', '_')}_IMAGE": image
            for program, image in (found or {}).items()
        }
        return surroundings.filled(text, words)


DATA_PLANES: Final = {
    plane.name: plane
    for plane in (
        DataPlane("contour", ("contour", "envoy"), ("contour",)),
        DataPlane("istio", ("istio", "envoy"), ("istio",)),
        DataPlane(
            "knative",
            (*catalog.KNATIVE_IMAGES, "traefik"),
            ("knative", "knative-networking"),
        ),
        DataPlane("skipper", ("skipper",)),
    )
}


@contextlib.contextmanager
def installed(api: kube.Kube, name: str) -> Iterator[tuple[str, int]]:
    """Have a data plane for a while; yield host and port where clients reach it.

    Raises:
        SuiteError, ClusterError, Deviation: it was not possible; the text says why.
    """
    plane = DATA_PLANES[name]
    with progress.step(f"installing {name}") as step:
        step.update("images")
        found = {program: images.foreign(program) for program in plane.programs}
        access.load(list(found.values()))
    try:
        _install(api, plane, found)
        yield ingress.find(api, name, name)
    finally:
        remove(api, plane)


def _install(api: kube.Kube, plane: DataPlane, found: Mapping[str, str]) -> None:
    crds.apply_vendors(api, plane.vendors)
    bodies = plane.objects(found)
    for body in bodies:
        api.apply(body)
    deployments = [body["metadata"]["name"] for body in bodies if body["kind"] == "Deployment"]
    with progress.step(f"waiting for {plane.name}"):
        wait.until(
            f"{plane.name} is ready",
            lambda: all(
                kube.rolled_out(api.find("Deployment", deployment, plane.name))
                for deployment in deployments
            ),
            seconds=READY_SECONDS,
            state=lambda: diagnosis.describe(api, plane.name),
        )


def remove(api: kube.Kube, plane: DataPlane) -> None:
    """Remove a data plane, or what a killed session left of it; harmless when repeated."""
    for body in reversed(plane.objects()):
        kind, metadata = kube.kind_of(body), body["metadata"]
        api.delete(kind, metadata["name"], metadata.get("namespace", ""))
    wait.until(
        f"the namespace {plane.name} is gone",
        lambda: api.find("Namespace", plane.name) is None,
        seconds=GONE_SECONDS,
    )
