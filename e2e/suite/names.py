"""Names of everything that the suite puts on the cluster, and where it is in the repository."""

import pathlib
from typing import Final

ROOT: Final = pathlib.Path(__file__).resolve().parents[2]
CHARTS: Final = ROOT / "charts"
PODINFO: Final = ROOT / "examples" / "podinfo" / "manifests"
DATA_PLANES: Final = ROOT / "e2e" / "dataplanes"

SYSTEM: Final = "flagger-system"
"""Namespace of the controller and its Prometheus."""
COMPANIONS: Final = "test"
"""Namespace of load tester, gatekeeper and Helm tester, and of the demo."""
INGRESS: Final = "traefik"
"""Namespace and name of the ingress controller."""

CONTROLLER: Final = "flagger"
CONTROLLER_PODS: Final = "app.kubernetes.io/name=flagger"
"""Label selector."""
LOADTESTER: Final = "flagger-loadtester"
GATEKEEPER: Final = "flagger-gatekeeper"
HELMTESTER: Final = "flagger-helmtester"
PROMETHEUS: Final = "flagger-prometheus"
PROMETHEUS_PORT: Final = 9090
GATEWAY_CLASS: Final = "traefik"

FIELD_MANAGER: Final = "flagger-e2e"
"""Under this name the API server records which fields are ours."""
