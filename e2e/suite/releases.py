"""What is installed with Helm, and with which values."""

from typing import Any, Final

from e2e.suite import images, names
from e2e.suite.helm import Release

INTERVAL_FLOOR: Final = 1
"""Seconds; in production analyses tick every ten seconds at most."""
SMALL: Final = {"requests": {"cpu": "10m", "memory": "48Mi"}}
PROBES: Final = {"readiness": {"periodSeconds": 1, "timeoutSeconds": 5, "failureThreshold": 3}}
"""Ready pods are noticed sooner."""


def all_of(found: images.Images) -> list[Release]:
    """Return the releases of the suite."""

    def values(service: str, **more: Any) -> dict[str, Any]:
        image = {"repository": found.repository + service, "tag": found.tags[service]}
        return {"image": image, "resources": SMALL, "probes": PROBES, **more}

    controller = values(
        "controller",
        meshProvider="traefik",
        extraArgs=[f"-interval-floor={INTERVAL_FLOOR}"],
        metricsServer=f"http://{names.PROMETHEUS}.{names.SYSTEM}:{names.PROMETHEUS_PORT}",
    )
    # Test namespaces come and go, so the Helm tester may test in all of them.
    helmtester = values("helmtester", rbac={"scope": "cluster"})
    gatekeeper = values(
        "gatekeeper",
        replicaCount=1,
        podDisruptionBudget={"enabled": False},
        auth={"allowAnonymousMutations": True},  # gates are opened with curl, as upstream's are
    )
    # Load goes through the ingress, which is no service of the canary's namespace.
    ingress = {"hosts": [f"{names.INGRESS}.{names.INGRESS}"]}
    loadtester = values("loadtester", policy={"namespaces": {"*": ingress}})
    companions = {
        names.LOADTESTER: ("loadtester", loadtester),
        names.GATEKEEPER: ("gatekeeper", gatekeeper),
        names.HELMTESTER: ("helmtester", helmtester),
    }
    return [
        Release(names.CONTROLLER, names.SYSTEM, "flagger", controller),
        *(
            Release(name, names.COMPANIONS, chart, wanted)
            for name, (chart, wanted) in companions.items()
        ),
    ]
