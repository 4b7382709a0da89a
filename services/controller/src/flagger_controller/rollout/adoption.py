"""The rule that takes over what upstream left, and a target that went back: neither needs a run."""

from flagger_controller.api.status import Phase, Run
from flagger_controller.rollout import weights
from flagger_controller.rollout.case import ACTIVE, KUBERNETES, SETTLED, STARTING, Case
from flagger_controller.rollout.decision import Decision
from flagger_controller.rollout.lifecycle import Outcome


def adopt(case: Case) -> Outcome:
    """Take over what needs no run: splits and hashes (canary-api.md 6.2 rule 2 and 6.3).

    A target that went back to the promoted revision is remembered as such, so that the failed
    revision counts as new when it comes again. Hashes that upstream 1.44 wrote are recognised.
    Those of other versions cannot be: between runs they are replaced where the primary shows that
    nothing changed; else the target is analysed, as nobody knows what passed.
    """
    status, revision = case.status, case.seen.revision
    if case.phase in STARTING:
        return None
    if taken := {**_recognised(case), **_record(case)}:
        fresh = status.model_copy(update=taken)
        return Decision(fresh, reason="taken over from upstream", again=True)
    if status.last_applied_spec == revision.spec:
        return None
    back = revision.spec == status.last_promoted_spec and not status.run.promotion_failed
    if case.phase in SETTLED and back:
        fresh = status.model_copy(update={"last_applied_spec": revision.spec})
        return Decision(fresh, reason="the target is back at the promoted revision", again=True)
    idle = case.phase in SETTLED and case.phase is not Phase.FAILED
    if not (case.seen.foreign_hash and idle and case.seen.promoted):
        return None
    both = {"last_applied_spec": revision.spec, "last_promoted_spec": revision.spec}
    fresh = status.model_copy(update=both)
    return Decision(fresh, reason="taken over from another version of upstream", again=True)


def _recognised(case: Case) -> dict[str, str]:
    """The recorded hashes that are upstream's for the live target, replaced by ours."""
    status, revision, upstream = case.status, case.seen.revision, case.seen.upstream
    fields = {
        "last_applied_spec": status.last_applied_spec,
        "last_promoted_spec": status.last_promoted_spec,
    }
    return {name: revision.spec for name, found in fields.items() if found == upstream != ""}


def _record(case: Case) -> dict[str, Run]:
    """What upstream keeps in routes alone: the split of its run, or of its failed promotion.

    The split of a run was decided for conditions that may go before the next step is due.
    """
    run, found = case.status.run, case.route
    if run.route is not None:
        return {}
    if case.phase in ACTIVE:
        conditional = bool(case.analysis.match) and found.canary > 0
        return {"run": run.model_copy(update={"route": found, "conditional": conditional})}
    if _stranded(case):
        fields = {"route": weights.split(100), "promotion_failed": True}
        return {"run": run.model_copy(update=fields)}
    return {}


def _stranded(case: Case) -> bool:
    """Is the traffic still on the target, because the primary died while it was promoted?

    Only then upstream has a weight outside of a run. With provider `kubernetes` it leaves the
    traffic on the dead primary (sharp edge S28).
    """
    if case.phase not in (Phase.FAILED, Phase.WAITING) or case.status.canary_weight < 100:
        return False
    return case.provider == KUBERNETES or case.route.canary == 100
