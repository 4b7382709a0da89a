"""What the engine sees of the cluster, after a look."""

from flagger_controller.api.canary import Canary
from flagger_controller.api.status import CanaryStatus
from flagger_controller.rollout.case import ACTIVE
from flagger_controller.rollout.evidence import Health, Revision, Seen
from flagger_controller.targets.revision import is_upstream_hash
from flagger_controller.tick.observe import Observer, Problem, lost
from flagger_controller.tick.plan import Plan
from flagger_controller.tick.world import World


def seen(canary: Canary, world: World | Problem, planned: Plan, observer: Observer) -> Seen:
    """The same for every question of a walk: a look is one moment.

    Args:
        canary: whose cluster it is.
        world: what the look found.
        planned: what a converge left to do.
        observer: knows what is odd about the Canary itself.
    """
    if isinstance(world, Problem):
        unknown = Health(ready=False, reason=world.text)
        revision = Revision(canary.status.last_applied_spec, canary.status.tracked_configs)
        return Seen(revision, unknown, unknown, settled=False, problem=world.text)
    router = world.parts.router
    warnings = (observer.warning(canary), world.missing, lost(world))
    return Seen(
        revision=world.revision,
        target=world.target_health,
        primary=world.primary_health,
        promoted=world.promoted,
        foreign_hash=is_upstream_hash(canary.status.last_applied_spec),
        upstream=world.upstream if _by_upstream(canary.status) else "",
        settled=planned.settled,
        route=router.read(canary, world.live),
        warning="; ".join(filter(None, warnings)),
        lagging=router.settled(canary, world.live) if canary.status.phase in ACTIVE else "",
    )


def _by_upstream(status: CanaryStatus) -> bool:
    return any(map(is_upstream_hash, (status.last_applied_spec, status.last_promoted_spec)))
