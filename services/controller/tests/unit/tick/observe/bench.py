"""A cluster to be observed, and the objects that the tests name."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from flagger_controller.api.canary import Canary
from flagger_controller.api.status import CanaryStatus, Phase
from flagger_controller.cluster import resources
from flagger_controller.cluster.cache import Cache
from flagger_controller.cluster.client import Ref
from flagger_controller.cluster.fake import FakeApi
from flagger_controller.routing.base import RouterSettings
from flagger_controller.targets.base import TargetSettings
from flagger_controller.tick.observe import Observer, Problem, Settings
from flagger_controller.tick.world import World

from ..scene import NAME, NAMESPACE, TARGET, manifest, now, workload

HPA = {"apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler", "name": NAME}
KEDA = {"apiVersion": "keda.sh/v1alpha1", "kind": "ScaledObject", "name": NAME}
COPY = Ref(resources.CONFIG_MAPS, "settings-primary", NAMESPACE)
DAEMON = Ref(resources.DAEMON_SETS, NAME, NAMESPACE)
STATEFUL = Ref(resources.STATEFUL_SETS, NAME, NAMESPACE)
STATEFUL_REF = {"apiVersion": "apps/v1", "kind": "StatefulSet", "name": NAME}
PROVIDER = Settings("traefik", TargetSettings(), RouterSettings())


def canary(phase: Phase = Phase.INITIALIZED, **spec: Any) -> Canary:
    found = Canary.from_api(manifest(**spec))
    return found.model_copy(update={"status": CanaryStatus(phase=phase)})


def analysis(**fields: Any) -> Mapping[str, Any]:
    return {"interval": "10s", "stepWeight": 10, "maxWeight": 50, "threshold": 1, **fields}


@dataclass
class Bench:
    """A fake cluster with the target in it, and what the cache reported."""

    api: FakeApi
    cache: Cache
    changes: list[str]

    async def see(
        self, found: Canary, settings: Settings = PROVIDER, *, due: bool = True
    ) -> World | Problem:
        return await Observer(self.cache, settings, now).observe(found, due=due)

    async def world(self, found: Canary, settings: Settings = PROVIDER) -> World:
        seen = await self.see(found, settings)
        assert isinstance(seen, World), seen
        return seen

    async def problem(self, found: Canary, settings: Settings = PROVIDER) -> str:
        seen = await self.see(found, settings)
        assert isinstance(seen, Problem), seen
        return seen.text

    async def changed(self) -> list[str]:
        """What was reported by now since the last call."""
        await asyncio.sleep(1)
        found = sorted(self.changes)
        self.changes.clear()
        return found

    def uses_settings(self, **reference: Any) -> None:
        """Make the target read the ConfigMap `settings`."""
        body = workload(configs=True)
        source = body["spec"]["template"]["spec"]["containers"][0]["envFrom"][0]
        source["configMapRef"].update(reference)
        self.api.put(TARGET, body)
