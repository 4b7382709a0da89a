"""The rule that takes over what needs no run: hashes of upstream, and a target that went back."""

from flagger_controller.api.status import Phase, Run
from flagger_controller.rollout.case import ACTIVE, SETTLED, STARTING, Case
from flagger_controller.rollout.decision import Decision
from flagger_controller.rollout.lifecycle import Outcome


def adopt(case: Case) -> Outcome:
    """Take over hashes that need no run (canary-api.md 6.2 rule 2 and 6.3).

    A target that went back to the promoted revision is remembered as such, so that the failed
    revision counts as new when it comes again. Hashes that upstream 1.44 wrote are recognised.
    Those of other versions cannot be: between runs they are replaced where the primary shows that
    nothing changed; else the target is analysed, as nobody knows what passed.
    """
    status, revision = case.status, case.seen.revision
    if case.phase in STARTING:
        return None
    recognised = _recognised(case)
    if recognised:
        fresh = status.model_copy(update={**recognised, "run": _found(case)})
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


def _found(case: Case) -> Run:
    """The record of a run that upstream began: its split, and that it was decided for conditions.

    The conditions may go before the next step is due.
    """
    run = case.status.run
    if case.phase not in ACTIVE or run.route is not None:
        return run
    conditional = bool(case.analysis.match) and case.route.canary > 0
    return run.model_copy(update={"route": case.route, "conditional": conditional})
