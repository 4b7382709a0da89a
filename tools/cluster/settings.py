"""Names, versions and places: everything that a person may want to look up or change.

Not for: anything that does something. Other modules import this one, it imports none of them.
"""

import hashlib
import os
import pathlib
from collections.abc import Iterable
from typing import Final

HERE: Final = pathlib.Path(__file__).resolve().parent
REPOSITORY: Final = HERE.parent.parent

CACHE_NAME: Final = "flagger-py"

KUBERNETES: Final = "v1.37.2"
HELM: Final = "v3.22.0"
COREDNS: Final = "v1.13.0"
KWOK: Final = "v0.7.0"
ETCD: Final = "v3.7.3"
"""Debian's 3.4 lacks what clients since 1.33 need for watching (progress requests): each of their
watches begins with refused attempts, and every pod is seconds late."""
FLAGGER: Final = "v1.44.0"
"""The upstream that we are compatible with."""
CONTOUR: Final = "v1.33.8"
SKIPPER: Final = "v0.23.0"
KNATIVE: Final = "v0.49.1"
"""The newest whose other modules are all served."""
KNATIVE_PROGRAMS: Final = ("autoscaler", "controller", "queue", "webhook")
ISTIO: Final = "v0.0.0-20260827124520-eed52ebb66ad"
"""Istio tags no versions of its Go module; this is 1.31 of 27 August 2026."""
GHZ: Final = "v0.120.0"
GRPC_HEALTH_PROBE: Final = "v0.4.62"
GRPC_HEALTH: Final = "v1"
PAUSE: Final = "v1"
SUITE: Final = "bookworm"
"""Debian suite of the test images. The same as the usual Python images, see the Dockerfile."""

NODE_NAME: Final = "flagger-node"
BRIDGE: Final = "flagger0"
"""Network link that pods hang on. At most 15 characters, a limit of the kernel."""
POD_RANGE: Final = "198.18.0.0/24"
SERVICE_RANGE: Final = "198.19.0.0/16"
"""Both from the benchmarking range of RFC 2544: no site's private network uses them."""
GATEWAY: Final = "198.18.0.1"
"""Address of the bridge, of the node and of the API server."""
API_SERVICE: Final = "198.19.0.1"
"""First address of SERVICE_RANGE: Kubernetes gives it to the Service `kubernetes`."""
DNS_SERVICE: Final = "198.19.0.10"
CLUSTER_DOMAIN: Final = "cluster.local"
CGROUP: Final = "flagger-cluster"
DOCKER_CGROUP: Final = "flagger-docker"

IMAGE_PREFIX: Final = "flagger-test/"
BASE_IMAGE: Final = IMAGE_PREFIX + "base:" + SUITE
PAUSE_IMAGE: Final = IMAGE_PREFIX + "pause:" + PAUSE
COREDNS_IMAGE: Final = IMAGE_PREFIX + "coredns:" + COREDNS

CNI_PLUGINS: Final = pathlib.Path("/usr/lib/cni")


class ClusterError(Exception):
    """The cluster cannot do what was asked; the text is written for the person at the terminal."""


def cache_directory() -> pathlib.Path:
    """Return the folder of everything that is expensive to make and does not change.

    FLAGGER_CACHE, or else XDG_CACHE_HOME, or else ~/.cache; always a folder of our own inside.
    """
    root = os.environ.get("FLAGGER_CACHE") or os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return pathlib.Path(root).expanduser() / CACHE_NAME


def state_directory() -> pathlib.Path:
    """Return the folder of the running cluster: FLAGGER_CLUSTER_DIR or a constant.

    The path must stay short: unix sockets inside it have a limit of 107 bytes.
    """
    default = "/var/lib/flagger-cluster"
    return pathlib.Path(os.environ.get("FLAGGER_CLUSTER_DIR") or default)


def digest(parts: Iterable[bytes | str]) -> str:
    """Return twelve hexadecimal digits that change when any part changes."""
    whole = hashlib.sha256()
    for part in parts:
        data = part.encode() if isinstance(part, str) else part
        whole.update(len(data).to_bytes(8, "big") + data)
    return whole.hexdigest()[:12]
