"""Plays one recorded scenario against our controller, and records what it did in the same form."""

import copy
import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from .mirror import Mirror, Object
from .normal import (
    Words,
    collapsed,
    is_between,
    patient,
    status_line,
    without_repeats,
)
from .receivers import Receivers, Script
from .states import CANARY, Window, windows

INTERVAL = 3.0
"""Seconds of an analysis interval in a replay; recordings were made with ten."""
DEADLINE = 240.0
"""Seconds that a scenario may take."""
DONE = {
    "Initialized": ("Initialization done!",),
    "Succeeded": ("Promotion completed!",),
    "Failed": ("Canary failed!", "failed, primary not ready"),
}
"""Phase to what may be told when everything that follows from it has been written."""
_NOT_READY = (" not ready: ", " not ready with retryable ")


class Stuck(AssertionError):
    """A step of a scenario did not come about."""


@dataclass
class Cluster:
    """What all players share."""

    api: Any
    mirror: Mirror
    receivers: Receivers
    restart: Callable[[str], None]
    """Kill the controller of a namespace with SIGKILL and start the next one."""


class Player:
    """One scenario in its own namespace."""

    def __init__(self, scenario: Object, cluster: Cluster) -> None:
        self.name = scenario["name"]
        self.scenario = self._translated(scenario, cluster.receivers.url)
        self.cluster = cluster
        self.script = Script(self.name, self.scenario["answers"], self.scenario["hooks"])
        cluster.receivers.scripts[self.name] = self.script
        self.end = 0.0

    def _translated(self, scenario: Object, url: str) -> Object:
        text = json.dumps(scenario).replace("$ns", self.name)
        text = text.replace("$hooks", url).replace("$prom", f"{url}/prometheus")
        result: Object = json.loads(text)
        for body in result["objects"]:
            if body["kind"] == "Canary":
                body["spec"]["analysis"]["interval"] = f"{INTERVAL:.0f}s"
        return result

    def play(self) -> None:
        """From the first object to the last step, and some idle time."""
        self.end = time.monotonic() + DEADLINE
        self._create("v1", "Namespace", {"metadata": {"name": self.name}}, namespaced=False)
        canaries = [body for body in self.scenario["objects"] if body["kind"] == "Canary"]
        for body in self.scenario["objects"]:
            if body["kind"] != "Canary":
                self._create(body["apiVersion"], body["kind"], body)
        for body in canaries:
            self._create(body["apiVersion"], body["kind"], body)
        for step in self.scenario["steps"]:
            self._do(step)
        time.sleep(2 * INTERVAL)

    def clean(self) -> None:
        self.cluster.api.delete(f"/api/v1/namespaces/{self.name}")

    # Steps

    def _do(self, step: Object) -> None:
        match step["do"]:
            case "wait":
                self._wait(step)
            case "set_image":
                self._set_image(step)
            case "patch":
                kind, api = step["kind"], step["api"]
                self.cluster.api.patch(self._path(api, kind, step["name"]), step["body"])
            case "create":
                self._create(step["object"]["apiVersion"], step["object"]["kind"], step["object"])
            case "delete":
                kind, api = step["kind"], step["api"]
                self._await(lambda: self._exists(kind, step["name"]), json.dumps(step))
                self.cluster.api.delete(self._path(api, kind, step["name"]))
            case "answer":
                self.script.answer(step["regex"], step["value"])
            case "gate":
                self.script.gate(step["name"], step["value"])
            case "restart_controller":
                self._await(lambda: "Advance" in str(self.events()), "the event before the crash")
                self.cluster.restart(self.name)

    def _wait(self, step: Object) -> None:
        if "ticks" in step:
            time.sleep(step["ticks"] * INTERVAL + 0.5)
            if self.scenario["keep_not_ready"]:
                self._await(lambda: "waiting for pods" in str(self.events()), "waiting for pods")
            return
        conditions = [self._condition(key, value) for key, value in step.items() if key != "do"]
        self._await(lambda: all(condition() for condition in conditions), json.dumps(step))
        # The status comes first: what the next step is about to disturb must have followed it.
        weight, phase = step.get("weight", 0), step.get("phase", "")
        told = (f"canary weight {weight}",) if weight else DONE.get(phase, ())
        if told:
            self._await(lambda: any(text in str(self.events()) for text in told), " or ".join(told))

    def _condition(self, key: str, value: Any) -> Callable[[], bool]:
        fields = {
            "phase": "phase",
            "weight": "canaryWeight",
            "iterations": "iterations",
            "failed": "failedChecks",
        }
        if key in fields:
            return lambda: self._status().get(fields[key]) == value
        match key:
            case "event":
                return lambda: any(value in event for event in self.events())
            case "object":
                name, text = value
                return lambda: text in json.dumps(self.cluster.mirror.now(self.name, name))
            case "gone":
                return lambda: self._is_gone(value)
        raise AssertionError(f"unknown condition {key}")

    def _exists(self, kind: str, name: str) -> bool:
        names = {"Canary": "Canary.flagger.app"}
        key = f"{names.get(kind, kind)}/{name}"
        return self.cluster.mirror.now(self.name, key) is not None

    def _is_gone(self, key: str) -> bool:
        history = self.cluster.mirror.history(self.name, key)
        return bool(history) and history[-1][1] is None

    def _await(self, condition: Callable[[], bool], what: str) -> None:
        changed = self.cluster.mirror.changed(self.name)
        with changed:
            while not condition():
                left = self.end - time.monotonic()
                if left <= 0:
                    raise Stuck(f"{self.name}: waited in vain for {what}: {self.statuses()[-1:]}")
                changed.wait(min(left, 0.5))

    def _set_image(self, step: Object) -> None:
        api = "apps/v1"
        body = self.cluster.mirror.now(self.name, f"{step['kind']}/{step['name']}")
        assert body is not None
        containers = copy.deepcopy(body["spec"]["template"]["spec"]["containers"])
        image = containers[0]["image"].rpartition(":")[0]
        containers[0]["image"] = f"{image}:{step['tag']}"
        patch = {"spec": {"template": {"spec": {"containers": containers}}}}
        self.cluster.api.patch(self._path(api, step["kind"], step["name"]), patch)

    def _create(self, api: str, kind: str, body: Object, *, namespaced: bool = True) -> None:
        namespace = self.name if namespaced else ""
        document = {"apiVersion": api, "kind": kind, **body}
        self.cluster.api.create(_collection(api, kind, namespace), document)

    def _path(self, api: str, kind: str, name: str) -> str:
        return f"{_collection(api or 'apps/v1', kind, self.name)}/{name}"

    def _status(self) -> Object:
        body = self.cluster.mirror.now(self.name, CANARY) or {}
        status: Object = body.get("status") or {}
        return status

    # What happened, in the form of the recordings

    def statuses(self) -> list[str]:
        words = Words()
        history = self.cluster.mirror.history(self.name, CANARY)
        bodies = [body for _, body in history if body is not None and body.get("status")]
        settled = [body["status"] for body in bodies if not is_between(body["status"])]
        return collapsed(status_line(status, words) for status in settled)

    def events(self) -> list[str]:
        kept = self.scenario["keep_not_ready"]
        lines = []
        for body in self.script.events:
            metadata = dict(body["metadata"])
            text, kind = metadata.pop("eventMessage"), metadata.pop("eventType")
            metadata.pop("timestamp")
            if text.startswith("spec."):
                continue  # ours in addition: what is odd in a manifest
            if _is_stale(text) or (not kept and _is_not_ready(text)):
                continue
            extra = f" {json.dumps(metadata, sort_keys=True)}" if metadata else ""
            lines.append(f"{body['phase']} {kind} {patient(text)}{extra}")
        return without_repeats(lines)

    def kube_events(self) -> set[str]:
        path = f"/api/v1/namespaces/{self.name}/events"
        return {
            f"{event['type']} {event['reason']} {event['message']}"
            for event in self.cluster.api.get(path)["items"]
            if event["involvedObject"]["kind"] == "Canary"
        }

    def windows(self) -> list[Window]:
        """What the objects were while each status was there."""
        return windows(self.cluster.mirror.histories(self.name))


def _is_stale(text: str) -> bool:
    """Waiting for a workload's controller: said for some milliseconds only, if at all."""
    return "generation less than desired generation" in text and "Promotion" not in text


def _is_not_ready(text: str) -> bool:
    """Waiting for pods: recordings leave it out, as how often it is said depends on luck."""
    if "Promotion of" in text or "exceeded its progress deadline" in text:
        return False
    return any(part in text for part in _NOT_READY)


def _collection(api: str, kind: str, namespace: str) -> str:
    plural = {"Ingress": "ingresses", "Canary": "canaries"}.get(kind, f"{kind.lower()}s")
    group = "api" if api == "v1" else "apis"
    where = f"/namespaces/{namespace}" if namespace else ""
    return f"/{group}/{api}{where}/{plural}"
