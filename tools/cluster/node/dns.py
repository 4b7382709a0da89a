"""Cluster DNS: CoreDNS as a Deployment, as in a usual cluster."""

import pathlib
import string
import subprocess
from typing import Final

from tools.cluster import api, settings, wheels

MANIFEST: Final = settings.HERE / "manifests" / "coredns.yaml"
DEPLOYMENT: Final = "/apis/apps/v1/namespaces/kube-system/deployments/coredns"


def manifest() -> str:
    """Return the objects, YAML."""
    return string.Template(MANIFEST.read_text()).substitute(
        image=settings.COREDNS_IMAGE,
        address=settings.DNS_SERVICE,
        gateway=settings.GATEWAY,
        domain=settings.CLUSTER_DOMAIN,
    )


def apply(kubeconfig: pathlib.Path) -> None:
    """Create the objects.

    Raises:
        ClusterError: the API refused them.
    """
    argv = [str(wheels.binary("kubectl")), "--kubeconfig", str(kubeconfig), "apply", "-f", "-"]
    done = subprocess.run(argv, input=manifest(), capture_output=True, text=True, timeout=60)
    if done.returncode != 0:
        raise settings.ClusterError(f"could not install the cluster DNS:\n{done.stderr}")


def ready(client: api.Api) -> bool:
    """Whether CoreDNS answers."""
    found = client.find(DEPLOYMENT)
    return bool(found and found.get("status", {}).get("readyReplicas"))
