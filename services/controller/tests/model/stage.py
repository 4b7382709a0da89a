"""The whole engine, as the operator wires it, on an API server in memory; real receivers over HTTP.

Other than the rig, with real time: whoever answers over HTTP lives in it.
"""

import asyncio
import base64
import contextlib
import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from flagger_controller import net
from flagger_controller.api.alertprovider import AlertProvider
from flagger_controller.api.canary import Canary
from flagger_controller.api.metrictemplate import MetricTemplate
from flagger_controller.api.status import Phase
from flagger_controller.cluster import resources
from flagger_controller.cluster.client import Object, Ref
from flagger_controller.cluster.fake import FakeApi
from flagger_controller.errors import FlaggerError
from flagger_controller.metrics.recorder import Recorder
from flagger_controller.operator import wiring
from flagger_controller.operator.settings import Settings

from . import kubelet
from .targets import NAME, NAMESPACE, deployment, tagged


class Stage:
    """An API server in memory, and the whole engine on it."""

    def __init__(
        self, http: net.Http, settings: Settings | None = None, api: FakeApi | None = None
    ) -> None:
        """Build an engine.

        Args:
            http: the client for everything but the API server.
            settings: with addresses of receivers.
            api: the one that another engine left behind.
        """
        self.api = api or FakeApi()
        self.recorder = Recorder("0", "traefik")
        chosen = replace(settings or Settings(), mesh_provider="traefik", interval_floor=0.01)
        self.engine = wiring.build(chosen, self.api, http, self.recorder)
        self._working: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> "Stage":
        self._working = [asyncio.create_task(box.run()) for box in self.engine.outboxes]
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.engine.close()
        for task in self._working:
            task.cancel()
        await asyncio.wait(self._working)

    def deploy(self, namespace: str, **analysis: Any) -> Ref:
        """A target and its Canary, which has no time and no patience."""
        spec = {
            "provider": "traefik",
            "targetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": NAME},
            "service": {"port": 80},
            "analysis": {"interval": "10ms", "threshold": 1, "stepWeight": 50, **analysis},
        }
        labels = {"labels": {"app": NAME}}
        target = Ref(resources.DEPLOYMENTS, NAME, namespace)
        self.api.put(target, {**deployment("1"), "metadata": labels})
        ref = Ref(resources.CANARIES, NAME, namespace)
        self.api.put(ref, {"spec": spec})
        return ref

    def secret(self, name: str, **data: str) -> dict[str, str]:
        """A Secret; returns the reference to it."""
        encoded = {key: base64.b64encode(value.encode()).decode() for key, value in data.items()}
        self.api.put(Ref(resources.SECRETS, name, NAMESPACE), {"data": encoded})
        return {"name": name}

    def provider(self, name: str, **spec: Any) -> Object:
        """An AlertProvider; returns the entry of `alerts` for it."""
        body = {"metadata": {"name": name}, "spec": spec}
        self.engine.templates.providers[NAMESPACE, name] = AlertProvider.model_validate(body)
        return {"name": name, "providerRef": {"name": name}}

    def template(self, name: str, **provider: Any) -> Object:
        """A MetricTemplate; returns the metric that uses it."""
        body = {"metadata": {"name": name}, "spec": {"provider": provider, "query": "q"}}
        self.engine.templates.templates[NAMESPACE, name] = MetricTemplate.model_validate(body)
        reference = {"name": name, "namespace": NAMESPACE}
        return {"name": name, "templateRef": reference, "thresholdRange": {"min": 1}}

    def pods(self) -> None:
        """What can be ready is."""
        for ref, body in list(self.api.memory.objects.items()):
            if ref.resource in kubelet.WORKLOADS:
                status = kubelet.status(ref.resource, body, since="", now=self.api.memory._now())
                if status != body.get("status"):
                    self.api.put(ref, {**body, "status": status})

    async def until(self, phase: Phase, *refs: Ref) -> None:
        """Tick until all have got there and told of it."""
        async with asyncio.timeout(100):
            while not all(self._reached(phase, ref) for ref in refs):
                self.pods()
                await asyncio.sleep(0.02)
                for ref in refs:
                    canary, _ = self.engine.canaries.put(self._found(ref))
                    with contextlib.suppress(FlaggerError):
                        await self.engine.work(canary.key)

    def push(self, namespace: str, tag: str) -> None:
        """A user changes the image of a target."""
        ref = Ref(resources.DEPLOYMENTS, NAME, namespace)
        self.api.put(ref, tagged(self._found(ref), tag))

    def _found(self, ref: Ref) -> Object:
        body = self.api.object(ref)
        assert body is not None
        return body

    def _reached(self, phase: Phase, ref: Ref) -> bool:
        status = Canary.from_api(self._found(ref)).status
        return status.phase is phase and not status.run.unannounced

    def left(self) -> Iterator[str]:
        """All that the API server was sent, and the series."""
        yield from (json.dumps(write.body) for write in self.api.writes)
        yield self.recorder.render().decode()
