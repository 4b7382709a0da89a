"""What a change of the Canary does to a release under way."""

from typing import Any

import pytest

from flagger_controller.api.status import Phase

from . import upstream
from .acts import respec
from .invariants import check_all
from .rig import PRIMARY, Rig
from .traffic import exposed, splits

pytestmark = pytest.mark.looptime

MATCH = [{"headers": {"x-beta": {"exact": "1"}}}]
SERVICE = {"port": 80, "gatewayRefs": [{"name": "edge"}]}
PROVIDERS = ("istio", "gatewayapi:v1")


def analysis(**fields: Any) -> dict[str, Any]:
    return {"interval": "10s", "threshold": 2, **fields}


def share(rig: Rig) -> int:
    """Percent of everybody's requests that get to the canary."""
    canary = rig.canary
    return exposed(splits(rig.api, canary, canary.spec.provider), canary)


async def first_step(provider: str, **strategy: Any) -> Rig:
    """Revision 2 after its first step."""
    rig = await Rig().initialized(provider=provider, service=SERVICE, analysis=analysis(**strategy))
    rig.push("2")
    for _ in range(3):
        await rig.pass_interval()
    assert rig.status.route.canary > 0
    return rig


@pytest.mark.parametrize("provider", PROVIDERS)
@pytest.mark.parametrize("strategy", [{"iterations": 5}, {"stepWeight": 20}], ids=str)
async def test_conditions_that_go_do_not_let_everybody_in(
    provider: str, strategy: dict[str, Any]
) -> None:
    """Upstream begins the split again and goes on with the iterations, or promotes at once."""
    rig = await first_step(provider, iterations=5, match=MATCH)
    assert (rig.status.route.canary, share(rig)) == (100, 0)
    respec(rig, analysis=analysis(**strategy))
    shares: list[int] = []
    stop = rig.api.after_write(lambda _: shares.append(share(rig)))
    await rig.step()
    stop()
    assert set(shares) == {0}, "not even for a moment"
    await rig.until(Phase.SUCCEEDED)
    assert rig.log.events.count("Starting canary analysis for podinfo") == 2
    assert rig.tag(PRIMARY) == "2"
    check_all(rig)
    await rig.stop()


@pytest.mark.parametrize("provider", PROVIDERS)
async def test_conditions_of_a_run_that_upstream_began_are_remembered(provider: str) -> None:
    rig = await first_step(provider, iterations=5, match=MATCH)
    await upstream.leaves(rig)
    await rig.step()
    assert share(rig) == 0
    respec(rig, analysis=analysis(iterations=5))
    await rig.step()
    assert share(rig) == 0
    await rig.until(Phase.SUCCEEDED)
    assert rig.tag(PRIMARY) == "2"
    await rig.stop()


@pytest.mark.parametrize("provider", PROVIDERS)
async def test_conditions_are_remembered_while_a_provider_ignores_them(provider: str) -> None:
    rig = await first_step(provider, iterations=5, match=MATCH)
    respec(rig, provider="kubernetes")
    await rig.pass_interval()
    respec(rig, provider=provider, analysis=analysis(iterations=5))
    await rig.step()
    assert share(rig) == 0
    await rig.until(Phase.SUCCEEDED)
    check_all(rig)
    await rig.stop()


@pytest.mark.parametrize("provider", PROVIDERS)
async def test_conditions_that_change_are_followed(provider: str) -> None:
    rig = await first_step(provider, iterations=2, match=MATCH)
    respec(rig, analysis=analysis(iterations=2, match=[{"headers": {"x": {"exact": "2"}}}]))
    await rig.step()
    assert rig.log.events.count("Starting canary analysis for podinfo") == 1
    await rig.until(Phase.SUCCEEDED)
    check_all(rig)
    await rig.stop()


@pytest.mark.parametrize("provider", PROVIDERS)
async def test_a_failed_promotion_is_served_to_everybody_by_the_target(provider: str) -> None:
    """The primary is dead, whatever the conditions of the analysis were (S1)."""
    rig = Rig(broken=("primary-2",))
    tested = analysis(iterations=1, match=MATCH)
    await rig.initialized(provider=provider, service=SERVICE, analysis=tested)
    rig.push("2")
    await rig.until(Phase.FAILED)
    assert share(rig) == 100
    rig.push("3")
    await rig.until(Phase.SUCCEEDED)
    assert (rig.tag(PRIMARY), share(rig)) == ("3", 0)
    await rig.stop()
