"""Random releases against everything that can go wrong, with the invariants after every tick.

Users push revisions, good and bad, change their minds and their specs, gates open and close;
controllers die, writes fail, watches fall silent. At the end everything is healed and a good
revision is pushed: it must get into production, as it would in a fresh installation.
"""

from typing import Any

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import initialize, rule

from .machine import GATES, Machine, play
from .rig import canary
from .specs import aimed

COMMON: dict[str, Any] = {
    "interval": "10s",
    "threshold": 2,
    "metrics": [{"name": "errors", "query": "q", "thresholdRange": {"max": 200}}],
    "webhooks": [{"name": kind, "type": kind, "url": "http://hooks/"} for kind in GATES],
}
MATCH = [{"headers": {"x-beta": {"exact": "1"}}}]
COOKIES = {"cookieName": "ck", "primaryCookieName": "pk"}
WEIGHTS = {"stepWeight": 30, "maxWeight": 60}
STEPS = {"stepWeights": [5, 40, 80], "stepWeightPromotion": 50}
STRATEGIES: dict[str, tuple[str, dict[str, Any]]] = {
    "weights": ("traefik", WEIGHTS),
    "list": ("traefik", STEPS),
    "blue/green": ("traefik", {"iterations": 2}),
    "kubernetes": ("kubernetes", {"iterations": 1}),
    "istio": ("istio", STEPS),
    "mirror": ("istio", {**WEIGHTS, "mirror": True}),
    "mirrored iterations": ("istio", {"iterations": 2, "mirror": True, "mirrorWeight": 10}),
    "a/b": ("istio", {"iterations": 2, "match": MATCH}),
    "cookies": ("istio", {**WEIGHTS, "sessionAffinity": COOKIES}),
    "gateway": ("gatewayapi:v1", WEIGHTS),
    "gateway a/b": ("gatewayapi:v1", {"iterations": 2, "match": MATCH}),
    "gateway mirror": ("gatewayapi:v1", {"iterations": 2, "mirror": True}),
    "gateway cookies": ("gatewayapi:v1", {**STEPS, "sessionAffinity": COOKIES}),
}
SERVICE = {"port": 80, "targetPort": 9898, "gatewayRefs": [{"name": "edge"}]}


def spec(provider: str, strategy: dict[str, Any], **rest: Any) -> dict[str, Any]:
    body = canary(
        provider=provider, service=SERVICE, analysis={**COMMON, **strategy, **rest.pop("more", {})}
    )
    return {**body["spec"], **rest}


SPECS: dict[str, dict[str, Any]] = {
    **{name: spec(provider, strategy) for name, (provider, strategy) in STRATEGIES.items()},
    "skip": spec("traefik", {"stepWeight": 50}, skipAnalysis=True),
    "patient": spec("istio", WEIGHTS, more={"threshold": 5, "primaryReadyThreshold": 50}),
}


class Releases(Machine):
    """One canary and its users."""

    @initialize(name=st.sampled_from(sorted(SPECS)))
    def install(self, name: str) -> None:
        self.create(aimed(SPECS[name], self.kind))
        for _ in range(3):
            self.rest()

    @rule(name=st.sampled_from(sorted(SPECS)))
    def change_spec(self, name: str) -> None:
        self.respec(aimed(SPECS[name], self.kind))


@pytest.mark.parametrize("kind", ["Deployment", "DaemonSet", "StatefulSet", "Knative Service"])
def test_releases(kind: str) -> None:
    play(Releases, kind)
