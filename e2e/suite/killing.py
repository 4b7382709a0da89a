"""Ends the controller as a power cut does: SIGKILL, nothing is written or released any more."""

import contextlib
import os
import pathlib
import signal

from e2e.suite import access, kube, names


def controller(api: kube.Kube) -> str:
    """Kill the controller's process and remove its pod; return the pod's name.

    The pod is removed, too, as the kubelet would start a container that died often only after a
    pause. Where pods are no processes of this machine (CLUSTER=kind or current) only that is done.
    """
    pods = api.select("Pod", names.SYSTEM, labelSelector=names.CONTROLLER_PODS)
    running = [pod for pod in pods if not pod["metadata"].get("deletionTimestamp")]
    for pod in running:
        if access.provider() == "local":
            for process in _processes(pod["metadata"]["uid"]):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(process, signal.SIGKILL)
        api.delete("Pod", pod["metadata"]["name"], names.SYSTEM, force=True)
    return ", ".join(pod["metadata"]["name"] for pod in running)


def _processes(pod: str) -> list[int]:
    """Return the processes of a pod's containers, by their control group."""
    found = []
    for folder in pathlib.Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            groups = (folder / "cgroup").read_text()
            name = (folder / "comm").read_text().strip()
            if f"pod{pod}" in groups and name != "pause":
                found.append(int(folder.name))
    return found
