"""Custom resource definitions: ours from the chart, those of vendors from their Go modules."""

from collections.abc import Iterable
from typing import Final

from tools.cluster import vendors

from e2e.suite import kube, names, wait

OWN: Final = names.CHARTS / "flagger" / "crds" / "crd.yaml"
VENDORS: Final = ("gateway-api", "traefik")
VERSION: Final = "flagger.app/vendor-version"
"""Annotation of what is installed: the definitions are large, so they are not applied again."""


def apply(api: kube.Kube) -> None:
    """Create or update what every test needs, and wait until the API server serves it."""
    _serve(api, [str(api.apply(body)["metadata"]["name"]) for body in vendors.read(OWN)])
    apply_vendors(api, VENDORS)


def apply_vendors(api: kube.Kube, wanted: Iterable[str]) -> None:
    """Create or update the definitions of vendors, and wait until the API server serves them."""
    applied = []
    for name in wanted:
        version = vendors.VENDORS[name].version
        for body in vendors.definitions(name):
            applied.append(str(body["metadata"]["name"]))
            if _installed(api, applied[-1]) != version:
                body["metadata"].setdefault("annotations", {})[VERSION] = version
                api.apply(body)
    _serve(api, applied)


def _serve(api: kube.Kube, applied: list[str]) -> None:
    wait.until(
        "custom resource definitions",
        lambda: all(_established(api, name) for name in applied),
        seconds=60,
    )


def _installed(api: kube.Kube, name: str) -> str:
    live = api.find("CustomResourceDefinition", name) or {"metadata": {}}
    return str(live["metadata"].get("annotations", {}).get(VERSION, ""))


def _established(api: kube.Kube, name: str) -> bool:
    status = api.get("CustomResourceDefinition", name).get("status", {})
    return any(
        condition["type"] == "Established" and condition["status"] == "True"
        for condition in status.get("conditions") or []
    )
