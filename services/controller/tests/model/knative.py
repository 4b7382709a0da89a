"""Knative's controllers: a revision for each template, and the state of both. Pods start at once.

Like the real ones they put no split into force that names a revision which is not ready.
"""

from collections.abc import Collection
from datetime import datetime

from flagger_controller.api import knative
from flagger_controller.cluster import resources
from flagger_controller.cluster.client import Object, Ref
from flagger_controller.cluster.fake import FakeApi

from .targets import tag_of


def revision(api: FakeApi, service: Ref, *, primary: bool) -> Ref:
    """The revision that is marked as the primary, or the latest."""
    body = api.object(service)
    assert body is not None
    name = knative.primary(body) if primary else knative.latest(body)
    return Ref(resources.KNATIVE_REVISIONS, name, service.namespace)


def traffic(service: Object) -> list[tuple[str, int]]:
    """What is asked of Knative: revision, or `latest`, and its percent."""
    entries = service["spec"].get("traffic", ())
    return [(entry.get("revisionName", "latest"), entry["percent"]) for entry in entries]


def reconcile(api: FakeApi, service: Ref, broken: Collection[str], now: datetime) -> None:
    """Act on a Knative Service; revisions with a tag in `broken` never get ready."""
    body = api.object(service)
    assert body is not None
    latest = knative.latest(body)
    if body.get("status", {}).get("tag") != tag_of(body):
        number = int(latest.rpartition("-")[2] or 0) + 1
        ref = Ref(resources.KNATIVE_REVISIONS, f"{service.name}-{number:05d}", service.namespace)
        api.put(ref, _made(body, now, ready=tag_of(body) not in broken))
        latest = ref.name
    found = [
        api.object(Ref(resources.KNATIVE_REVISIONS, name, service.namespace))
        for name, _ in traffic(body)
        if name != "latest"
    ]
    routable = all(each is not None and knative.ready(each) for each in found)
    status = {
        "observedGeneration": body["metadata"]["generation"],
        "latestCreatedRevisionName": latest,
        "tag": tag_of(body),
        "conditions": [{"type": "RoutesReady", "status": "True" if routable else "False"}],
    }
    if status != body.get("status"):
        api.put(service, {**body, "status": status})


def _made(service: Object, now: datetime, *, ready: bool) -> Object:
    """A new revision."""
    condition = {
        "type": "Ready",
        "status": "True" if ready else "Unknown",
        "reason": "" if ready else "Deploying",
        "lastTransitionTime": now.strftime("%Y-%m-%dT%H:%M:%SZ"),
    }
    pods = {"actualReplicas": 1 if ready else 0}
    status = {"observedGeneration": 1, "conditions": [condition], **pods}
    return {"spec": service["spec"]["template"]["spec"], "status": status}
