"""What every object looked like at every revision, from watches on the real API server.

Revisions order the changes of all kinds exactly, however late a watch delivers them.
"""

import bisect
import json
import sys
import threading
from dataclasses import dataclass, field
from typing import Any

import requests

Object = dict[str, Any]

KINDS = {
    "flagger.app/v1beta1/canaries": "Canary.flagger.app",
    "apps/v1/deployments": "Deployment",
    "apps/v1/daemonsets": "DaemonSet",
    "apps/v1/statefulsets": "StatefulSet",
    "v1/persistentvolumeclaims": "PersistentVolumeClaim",
    "v1/services": "Service",
    "v1/configmaps": "ConfigMap",
    "v1/secrets": "Secret",
    "policy/v1/poddisruptionbudgets": "PodDisruptionBudget",
    "autoscaling/v2/horizontalpodautoscalers": "HorizontalPodAutoscaler",
    "keda.sh/v1alpha1/scaledobjects": "ScaledObject.keda.sh",
    "networking.istio.io/v1beta1/virtualservices": "VirtualService.networking.istio.io",
    "networking.istio.io/v1beta1/destinationrules": "DestinationRule.networking.istio.io",
    "traefik.io/v1alpha1/traefikservices": "TraefikService.traefik.io",
    "gateway.networking.k8s.io/v1/httproutes": "HTTPRoute",
    "networking.k8s.io/v1/ingresses": "Ingress",
    "projectcontour.io/v1/httpproxies": "HTTPProxy.projectcontour.io",
    "split.smi-spec.io/v1alpha1/trafficsplits": "TrafficSplit.split.smi-spec.io",
    "serving.knative.dev/v1/services": "Service.serving.knative.dev",
    "serving.knative.dev/v1/revisions": "Revision.serving.knative.dev",
}
"""Path of a kind to the name that recordings use."""

History = list[tuple[int, Object | None]]
"""Revisions of the API server, and the object since then; None when it is gone."""
NEWEST = sys.maxsize


@dataclass
class _Namespace:
    histories: dict[str, History] = field(default_factory=dict)
    changed: threading.Condition = field(default_factory=threading.Condition)


class Mirror:
    """Histories of all objects; one watching thread a kind."""

    def __init__(self, url: str, token: str, ca_file: str) -> None:
        self._url = url
        self._session = requests.Session()
        self._session.trust_env = False
        self._session.verify = ca_file
        self._session.headers["Authorization"] = f"Bearer {token}"
        self._namespaces: dict[str, _Namespace] = {}
        self._stopped = threading.Event()

    def start(self) -> None:
        for path in KINDS:
            threading.Thread(target=self._follow, args=(path,), daemon=True).start()

    def stop(self) -> None:
        self._stopped.set()

    def changed(self, namespace: str) -> threading.Condition:
        """Notified when an object of a namespace changed."""
        return self._of(namespace).changed

    def now(self, namespace: str, key: str) -> Object | None:
        """An object as it is, by recording name: `Deployment/podinfo`."""
        history = self._of(namespace).histories.get(key)
        return history[-1][1] if history else None

    def history(self, namespace: str, key: str) -> History:
        """All versions of an object with their revisions."""
        return list(self._of(namespace).histories.get(key, ()))

    def histories(self, namespace: str) -> list[tuple[str, History]]:
        """The histories of all objects of a namespace, by recording name."""
        known = self._of(namespace).histories
        return [(key, list(history)) for key, history in list(known.items())]

    def forget(self, namespace: str) -> None:
        """Let go of what happened in a namespace."""
        self._namespaces.pop(namespace, None)

    def at(self, namespace: str, revision: int = NEWEST) -> dict[str, Object]:
        """All objects of a namespace at a revision, by recording name."""
        found = {}
        for key, history in self.histories(namespace):
            index = bisect.bisect_right(history, revision, key=lambda entry: entry[0])
            body = history[index - 1][1] if index else None
            if body is not None:
                found[key] = body
        return found

    def _of(self, namespace: str) -> _Namespace:
        known = self._namespaces.get(namespace)  # making one costs more than all else here
        return known or self._namespaces.setdefault(namespace, _Namespace())

    def _follow(self, path: str) -> None:
        group = "api" if path.startswith("v1/") else "apis"
        base, _, plural = path.rpartition("/")
        url = f"{self._url}/{group}/{base}/{plural}"
        version = ""
        while not self._stopped.is_set():
            try:
                # Lists of a whole sweep take seconds, in which the mirror would stay behind.
                version = self._watch(url, path, version or self._list(url, path))
            except (requests.RequestException, ValueError):
                version = ""
                if self._stopped.wait(0.2):
                    return

    def _list(self, url: str, path: str) -> str:
        reply = self._session.get(url, timeout=30)
        reply.raise_for_status()
        document = reply.json()
        version = str(document["metadata"]["resourceVersion"])
        listed = {_place(body) for body in document["items"]}
        for place, body in self._known(path).items():
            if place not in listed:
                self._note(path, body, int(version), gone=True)
        for body in document["items"]:
            self._note(path, body, _revision(body), gone=False)
        return version

    def _known(self, path: str) -> dict[tuple[str, str], Object]:
        """What is there of a kind, as far as the mirror knows."""
        prefix = f"{KINDS[path]}/"
        newest = [
            history[-1][1]
            for kept in list(self._namespaces.values())
            for key, history in list(kept.histories.items())
            if key.startswith(prefix) and history
        ]
        return {_place(body): body for body in newest if body is not None}

    def _watch(self, url: str, path: str, version: str) -> str:
        """Follow a stream until the server ends it; where to go on, empty: with a list."""
        parameters = {
            "watch": "1",
            "resourceVersion": version,
            "timeoutSeconds": "600",
            "allowWatchBookmarks": "true",
        }
        with self._session.get(url, params=parameters, stream=True, timeout=(10, 700)) as reply:
            reply.raise_for_status()  # 429 while a CRD that was changed gets its storage anew
            for line in reply.iter_lines():
                event = json.loads(line)
                if event["type"] == "ERROR":
                    return ""
                body = event["object"]
                version = body["metadata"]["resourceVersion"]
                if event["type"] != "BOOKMARK":
                    self._note(path, body, int(version), gone=event["type"] == "DELETED")
        return version

    def _note(self, path: str, body: Object, revision: int, *, gone: bool) -> None:
        kind = KINDS[path]
        body.setdefault("kind", kind.partition(".")[0])
        body.setdefault("apiVersion", path.rpartition("/")[0])
        key = f"{kind}/{body['metadata']['name']}"
        place = self._of(body["metadata"]["namespace"])
        with place.changed:
            place.histories.setdefault(key, []).append((revision, None if gone else body))
            place.changed.notify_all()


def _place(body: Object) -> tuple[str, str]:
    return body["metadata"]["namespace"], body["metadata"]["name"]


def _revision(body: Object) -> int:
    return int(body["metadata"]["resourceVersion"])
