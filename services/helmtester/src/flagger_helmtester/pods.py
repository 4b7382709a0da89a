"""What pods say of a test: phases, exit codes and logs."""

import logging
import urllib.parse
from collections.abc import Iterator
from typing import Final

from flagger_common.cluster import ApiError, Cluster, Object

from . import outcome

logger = logging.getLogger(__name__)

_LOG_BYTES: Final = 4096
"""Last bytes of a pod's log that are read, for each container."""


def describe(pod: Object, log: str) -> outcome.Test:
    """Describe a pod as a test."""
    status = pod.get("status") or {}
    ends = [ended.get("finishedAt") or "" for ended in _ended(pod)]
    return outcome.Test(
        pod["metadata"]["name"],
        status.get("phase") or "Unknown",
        status.get("startTime") or "",
        max(ends, default=""),
        exit_code(pod),
        log,
    )


def exit_code(pod: Object) -> int | None:
    """Return the first exit code that is not 0; None as long as no container has ended."""
    codes = [int(ended["exitCode"]) for ended in _ended(pod) if "exitCode" in ended]
    return next((code for code in codes if code), 0) if codes else None


class Pods:
    """Looks at pods; what cannot be learnt is logged and left out, a test has its result anyway."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster

    def exit_code(self, namespace: str, name: str) -> int | None:
        """Return the exit code of a pod; None when it is not known, for example of a Job."""
        try:
            return exit_code(self._cluster.call("GET", _path(namespace, name), namespace))
        except ApiError as error:
            logger.info("no exit code of %s in %s: %s", name, namespace, error)
            return None

    def of_job(self, namespace: str, job: str) -> tuple[outcome.Test, ...]:
        """Return the pods of a Job with their logs, oldest first.

        Raises:
            ApiError: they cannot be listed.
        """
        selector = urllib.parse.quote(f"job-name={job}")
        path = f"{_path(namespace)}?labelSelector={selector}"
        found = self._cluster.call("GET", path, namespace).get("items") or []
        found.sort(key=lambda pod: str(pod["metadata"].get("creationTimestamp", "")))
        return tuple(describe(pod, "".join(self._logs(namespace, pod))) for pod in found)

    def _logs(self, namespace: str, pod: Object) -> Iterator[str]:
        name = pod["metadata"]["name"]
        for container in pod["spec"]["containers"]:
            query = urllib.parse.urlencode(
                {"container": container["name"], "tailLines": 100, "limitBytes": _LOG_BYTES}
            )
            try:
                yield self._cluster.text(f"{_path(namespace, name)}/log?{query}", namespace)
            except ApiError as error:
                logger.info("no log of %s in %s: %s", name, namespace, error)


def _path(namespace: str, name: str = "") -> str:
    path = f"/api/v1/namespaces/{namespace}/pods"
    return f"{path}/{urllib.parse.quote(name, safe='')}" if name else path


def _ended(pod: Object) -> list[Object]:
    status = pod.get("status") or {}
    containers = [
        *(status.get("initContainerStatuses") or []),
        *(status.get("containerStatuses") or []),
    ]
    states = [(container.get("state") or {}).get("terminated") for container in containers]
    return [state for state in states if state]
