"""No secret is ever shown: a failed release with every channel and source, and what it left.

All that is told goes to a server that repeats it. A new channel is here by itself, a new metric
source with a row in `SOURCES`.
"""

import asyncio
import base64
import contextlib
import json
import logging
from collections.abc import Iterator
from typing import Any, Final

import pytest

from flagger_common import logs
from flagger_controller import net
from flagger_controller.api.alertprovider import CHANNELS, AlertProvider
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
from .parrot import Parrot
from .targets import NAME, NAMESPACE, deployment, tagged

HUSH: Final = "hush"
"""All secrets have it in them."""
LOGIN: Final = ("hush-user", "hush-password")
SOURCES: Final[dict[str, dict[str, str]]] = {
    "prometheus": {"username": LOGIN[0], "password": LOGIN[1]},
}
"""The keys of the Secret of each metric source."""
KEYS: Final = {"token": "hush-token", "username": LOGIN[0], "password": LOGIN[1], "hmacKey": HUSH}
PATH: Final = "hush-path-of-a-hook?key=hush-query-of-a-hook"


def places(parrot: Parrot) -> dict[str, dict[str, Any]]:
    """Addresses that all go wrong, each in its own way, with the spec of a provider."""
    return {
        "no": {"address": f"{parrot.url}/no/{PATH}", "messageTemplate": "{{ nothing }}"},
        "moved": {"address": f"{parrot.url}/moved/{PATH}"},
        "odd": {"address": f"{parrot.url}/odd/{PATH}"},
        "bad": {"address": "hush-that-is-no-url"},
        "proxied": {"address": f"{parrot.url}/no/{PATH}", "proxy": "socks5://u:hush-proxy@proxy"},
    }


class Stage:
    """An API server in memory, and the whole engine on it."""

    def __init__(self, http: net.Http, parrot: Parrot) -> None:
        self.api = FakeApi()
        self.recorder = Recorder("0", "traefik")
        secret = f"{parrot.url}/no/{PATH}"
        settings = Settings(
            mesh_provider="traefik",
            event_webhook=secret,
            events_addr=secret,
            slack_url=secret,
            slack_token="hush-token",
            interval_floor=0.01,
        )
        self.engine = wiring.build(settings, self.api, http, self.recorder)
        self._parrot = parrot

    def deploy(self, namespace: str, source: str, **analysis: Any) -> Ref:
        """A target and its Canary, whose metric comes from a source."""
        metric = {
            "name": source,
            "templateRef": {"name": source, "namespace": NAMESPACE},
            "thresholdRange": {"min": 1},
        }
        spec = {
            "provider": "traefik",
            "targetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": NAME},
            "service": {"port": 80},
            "analysis": {
                "interval": "10ms",
                "threshold": 1,
                "stepWeight": 50,
                "metrics": [metric],
                **analysis,
            },
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

    def channels(self) -> list[Object]:
        """Every channel with every address, with a Secret; returns the entries of `alerts`."""
        stored, entries = self.engine.templates.providers, []
        for kind in CHANNELS:
            for place, spec in places(self._parrot).items():
                name, address = f"{kind}-{place}", spec.pop("address")
                body = {
                    "metadata": {"name": name},
                    "spec": {
                        "type": kind,
                        "headers": {"X-Key": ["hush-header"]},
                        "secretRef": self.secret(name, address=address, **KEYS),
                        **spec,
                    },
                }
                stored[NAMESPACE, name] = AlertProvider.model_validate(body)
                entries.append({"name": name, "providerRef": {"name": name}})
        return entries

    def sources(self) -> None:
        """Every metric source, with a Secret."""
        for kind, keys in SOURCES.items():
            provider = {
                "type": kind,
                "address": f"{self._parrot.url}/no/",
                "secretRef": self.secret(f"source-{kind}", **keys),
            }
            body = {"metadata": {"name": kind}, "spec": {"provider": provider, "query": "q"}}
            template = MetricTemplate.model_validate(body)
            self.engine.templates.templates[NAMESPACE, kind] = template

    def pods(self) -> None:
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


@pytest.mark.timeout(240)
async def test_no_secret_is_ever_shown(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    with Parrot() as parrot:
        async with net.Http() as http:
            stage = Stage(http, parrot)
            working = [asyncio.create_task(box.run()) for box in stage.engine.outboxes]
            stage.sources()
            canaries = [stage.deploy(f"source-{kind}", kind) for kind in SOURCES]
            canaries.append(stage.deploy(NAMESPACE, "prometheus", alerts=stage.channels()))
            await stage.until(Phase.INITIALIZED, *canaries)
            for ref in canaries:
                stage.push(ref.namespace, "2")
            await stage.until(Phase.FAILED, *canaries)
            await stage.engine.close()
            for task in working:
                task.cancel()
            await asyncio.wait(working)
    line = logs.JSONFormatter().format
    shown = "\n".join([*stage.left(), *map(line, caplog.records)])
    every = [f"alert provider {kind}-{place}" for kind in CHANNELS for place in ("no", "bad")]
    every += [f"Metric query failed for {kind}" for kind in SOURCES]
    told = (*every, "alert can't be sent", "sending event to webhook", "sending event to Flux")
    for text in (*told, "Canary failed!", "messageTemplate error"):
        assert text in shown, "everything went wrong that can"
    heard = "".join(parrot.heard)
    basic = base64.b64encode(":".join(LOGIN).encode()).decode()
    assert "hush-token" in heard
    assert basic in heard
    for secret in (HUSH, basic):
        found = [each for each in shown.splitlines() if secret in each]
        assert not found, found[:5]
