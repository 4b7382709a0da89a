"""A Knative Service, and a small program in the place of Knative's controllers.

It does what a release can see of them: defaults of the traffic, a revision for each template, and
the state of both. Like the real one it puts no split into force that names a revision which is not
ready.
"""

import threading
from datetime import UTC, datetime
from typing import Any, Self

import requests

from flagger_controller.api import knative

from .scene import Object, Scene

API = "serving.knative.dev/v1"
REFERENCE = {"apiVersion": API, "kind": "Service", "name": "podinfo"}
TARGET = "Service.serving.knative.dev/podinfo"


def deployed(scene: Scene, tag: str = "1") -> None:
    """The application, as its owner applies it."""
    metadata = {"name": "podinfo", "labels": {"team": "web"}}
    scene.create(API, "Service", {"metadata": metadata, "spec": {"template": template(tag)}})


def released(scene: Scene, tag: str) -> None:
    """Push another revision."""
    scene.patch(API, "services", "podinfo", {"spec": {"template": template(tag)}})


def template(tag: str) -> Object:
    return {"spec": {"containers": [{"name": "podinfo", "image": f"rig/podinfo:{tag}"}]}}


def of(scene: Scene) -> Object:
    """The Knative Service as it is."""
    body = scene.now(TARGET)
    assert body is not None, scene.story()
    return body


def traffic(body: Object) -> dict[str, int]:
    """Percent by revision, or `latest`."""
    entries = body["spec"].get("traffic") or []
    return {entry.get("revisionName", "latest"): entry["percent"] for entry in entries}


class Knative:
    """Serves one scene from a thread of its own; use it as a context manager."""

    def __init__(self, scene: Scene) -> None:
        self._scene = scene
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._error: Exception | None = None

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopped.set()
        self._thread.join(60)
        assert not self._thread.is_alive()
        if self._error is not None:
            raise self._error

    def _run(self) -> None:
        changed = self._scene.world.mirror.changed(self._scene.namespace)
        try:
            with self._scene.world.plane.client() as self._client:
                while not self._stopped.is_set():
                    self._try()
                    with changed:
                        changed.wait(0.1)
        except Exception as error:
            self._error = error

    def _try(self) -> None:
        try:
            self._reconcile()
        except requests.HTTPError as error:
            if error.response is None or error.response.status_code != requests.codes.conflict:
                raise

    def _reconcile(self) -> None:
        body = self._client.find(self._path("services/podinfo"))
        if body is None:
            return
        self._default(body)
        latest = self._latest(body)
        status = {
            "observedGeneration": body["metadata"]["generation"],
            "latestCreatedRevisionName": latest,
            "conditions": [self._routes(body)],
        }
        if status != body.get("status"):
            self._client.patch(self._path("services/podinfo/status"), {"status": status})

    def _default(self, body: Object) -> None:
        """What the webhook does when an object is written."""
        entries = body["spec"].get("traffic") or [{"latestRevision": True, "percent": 100}]
        wanted = [{"latestRevision": "revisionName" not in each} | each for each in entries]
        if wanted != body["spec"].get("traffic"):
            patch = {"metadata": _version(body), "spec": {"traffic": wanted}}
            body |= self._client.patch(self._path("services/podinfo"), patch)

    def _latest(self, body: Object) -> str:
        found = self._client.get(self._path("revisions"))["items"]
        spec = body["spec"]["template"]["spec"]
        newest = max((each["metadata"]["name"] for each in found), default="podinfo-00000")
        for each in found:
            if each["metadata"]["name"] == newest and each["spec"] == spec:
                return str(newest)
        name = f"podinfo-{int(newest[-5:]) + 1:05d}"
        self._client.create(
            self._path("revisions"),
            {"apiVersion": API, "kind": "Revision", "metadata": {"name": name}, "spec": spec},
        )
        self._client.patch(self._path(f"revisions/{name}/status"), {"status": _started(spec)})
        return name

    def _routes(self, body: Object) -> Object:
        names = [name for name in traffic(body) if name != "latest"]
        found = [self._client.find(self._path(f"revisions/{name}")) for name in names]
        good = all(each is not None and knative.ready(each) for each in found)
        return {"type": "RoutesReady", "status": "True" if good else "False"}

    def _path(self, rest: str) -> str:
        return f"/apis/{API}/namespaces/{self._scene.namespace}/{rest}"


def _version(body: Object) -> Object:
    return {"resourceVersion": body["metadata"]["resourceVersion"]}


def _started(spec: Object) -> Object:
    """Status of a new revision; the tag `broken` never gets ready."""
    broken = spec["containers"][0]["image"].endswith(":broken")
    ready: dict[str, Any] = {"type": "Ready", "status": "Unknown" if broken else "True"}
    if broken:
        now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        ready |= {"reason": "Deploying", "lastTransitionTime": now}
    return {"observedGeneration": 1, "conditions": [ready]}
