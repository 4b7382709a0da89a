"""What one wants to see when something went wrong in a namespace."""

import json

from e2e.suite import kube, names

LOG_LINES = "400"
KINDS = ("Canary", "Deployment", "TraefikService", "HTTPRoute", "HTTPProxy", "Ingress")


def describe(api: kube.Kube, namespace: str) -> str:
    """Return canaries, workloads, routes and what the controller said about them."""
    lines = []
    for kind in KINDS:
        for body in _all(api, kind, namespace):
            body["metadata"].pop("managedFields", None)
            shown = {"spec": _spec(kind, body), "status": body.get("status", {})}
            lines.append(f"{kind} {body['metadata']['name']}: {json.dumps(shown)}")
    pods = [f"Pod {p['metadata']['name']}: {trouble(p)}" for p in api.select("Pod", namespace)]
    return "\n".join([*lines, *pods, *_log(api, namespace)])


def _all(api: kube.Kube, kind: str, namespace: str) -> list[kube.Object]:
    """Return the objects of a kind; none where its data plane was not installed yet."""
    try:
        return api.select(kind, namespace)
    except kube.ApiError as error:
        if error.status == 404:
            return []
        raise


def _spec(kind: str, body: kube.Object) -> object:
    spec = body.get("spec", {})
    return {"replicas": spec.get("replicas")} if kind == "Deployment" else spec


def _log(api: kube.Kube, namespace: str) -> list[str]:
    found = []
    for pod in api.select("Pod", names.SYSTEM, labelSelector=names.CONTROLLER_PODS):
        name = pod["metadata"]["name"]
        where = kube.path("Pod", names.SYSTEM, name) + "/log"
        try:
            text = api.send("GET", where, query={"tailLines": LOG_LINES}).text
        except kube.ApiError as error:
            text = str(error)
        lines = [line for line in text.splitlines() if namespace in line or '"error"' in line]
        found += [f"{name}: {line}" for line in lines[-40:]]
    return found


def trouble(pod: kube.Object) -> str:
    """Return the state of a pod in a few words."""
    status = pod.get("status", {})
    words = [str(status.get("phase"))]
    for container in status.get("containerStatuses", []):
        for state in container.get("state", {}).values():
            words += [str(state[key]) for key in ("reason", "message") if state.get(key)]
    return " ".join(words)
