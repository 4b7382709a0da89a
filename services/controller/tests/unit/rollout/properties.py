"""What must hold for every decision, whatever led to it."""

from flagger_controller.api.status import CanaryStatus, Obligation, Phase, Route
from flagger_controller.rollout import conditions
from flagger_controller.rollout.case import ACTIVE, ANALYSING, SETTLED
from flagger_controller.rollout.decision import Alert, Event, Outcome

from .explorer import Walked

TRANSITIONS = {
    (Phase.NEW, Phase.INITIALIZING): "bootstrap",
    (Phase.INITIALIZING, Phase.INITIALIZED): "bootstrap",
    (Phase.INITIALIZED, Phase.PROGRESSING): "start",
    (Phase.SUCCEEDED, Phase.PROGRESSING): "start",
    (Phase.FAILED, Phase.PROGRESSING): "start",
    (Phase.INITIALIZED, Phase.WAITING): "start",
    (Phase.SUCCEEDED, Phase.WAITING): "start",
    (Phase.FAILED, Phase.WAITING): "start",
    (Phase.WAITING, Phase.PROGRESSING): "start",
    (Phase.WAITING, Phase.INITIALIZED): "reverted_while_waiting",  # S5
    (Phase.WAITING, Phase.SUCCEEDED): "reverted_while_waiting",
    (Phase.WAITING, Phase.FAILED): "reverted_while_waiting rollback_while_waiting",  # S4
    (Phase.WAITING_PROMOTION, Phase.PROGRESSING): "restart opened",
    (Phase.PROMOTING, Phase.PROGRESSING): "restart",  # fault D
    (Phase.FINALISING, Phase.PROGRESSING): "restart",
    (Phase.PROGRESSING, Phase.WAITING_PROMOTION): "ab_testing blue_green progressive",
    (Phase.PROGRESSING, Phase.PROMOTING): "unfinished",
    (Phase.WAITING_PROMOTION, Phase.PROMOTING): "unfinished",
    (Phase.PROMOTING, Phase.FINALISING): "unfinished",
    (Phase.FINALISING, Phase.SUCCEEDED): "finalising unfinished",
    (Phase.PROGRESSING, Phase.SUCCEEDED): "unfinished",  # skipAnalysis
    (Phase.WAITING_PROMOTION, Phase.SUCCEEDED): "unfinished",
    (Phase.PROMOTING, Phase.SUCCEEDED): "unfinished",
    (Phase.PROGRESSING, Phase.FAILED): "unfinished",
    (Phase.WAITING_PROMOTION, Phase.FAILED): "unfinished",
    (Phase.PROMOTING, Phase.FAILED): "unfinished",
    (Phase.FINALISING, Phase.FAILED): "unfinished",
}
"""State-machine.md 3.1 with our departures: the rules that may make each transition."""

EARLY = frozenset({"restart", "opened", "start", "bootstrap"})
"""Rules that may use up an interval before the last one is over: nothing advances by them."""


def check(walked: Walked) -> None:
    """All properties of one decision."""
    assert walked.decision.rule, walked
    assert walked.decision.reason or walked.decision.rule not in {"not_due"}, walked
    for name, property_ in _PROPERTIES.items():
        try:
            property_(walked)
        except AssertionError as error:
            raise AssertionError(f"{name}: {error}\n{walked}") from error


def _transition(walked: Walked) -> None:
    step = (walked.before.phase, walked.after.phase)
    if step[0] is not step[1]:
        assert step in TRANSITIONS
        assert walked.decision.rule in TRANSITIONS[step].split()
        assert walked.after.last_transition_time


def _numbers(walked: Walked) -> None:
    status = walked.after
    route = status.route
    assert route.primary + route.canary == 100
    assert 0 <= route.canary <= 100
    assert 0 <= status.canary_weight <= 100
    assert status.iterations >= 0
    assert status.failed_checks >= 0
    assert not (route.mirrored and route.canary), "mirrored traffic comes before real traffic"


def _consistent(walked: Walked) -> None:
    status, run = walked.after, walked.after.run
    if run.obligation:
        assert status.phase in ACTIVE
    if run.unannounced:
        assert status.phase in (Phase.SUCCEEDED, Phase.FAILED)
    if status.phase in SETTLED:
        assert not run.pre_rollout_passed
        assert not run.promotion_approved
        assert not run.primary_broken
        assert not run.conditional
        assert status.iterations == 0
    if status.phase in (Phase.INITIALIZED, Phase.SUCCEEDED):
        assert run.route == Route()
        assert status.canary_weight == 0
        assert status.last_promoted_spec == status.last_applied_spec
    if status.phase is Phase.FAILED:
        assert status.failed_checks == 0


def _weight_is_reported(walked: Walked) -> None:
    """`canaryWeight` shows the route of weighted runs, and of what is left after a failure."""
    before, after = walked.before, walked.after
    shown = before.canary_weight == before.route.canary  # not so after a change of strategy
    if shown and not walked.case.iterations and not after.run.obligation:
        assert after.canary_weight == after.route.canary


def _traffic_on_a_healthy_version_when_failed(walked: Walked) -> None:
    status = walked.after
    if status.phase is Phase.FAILED and not status.run.promotion_failed:
        assert status.route.canary == 0, "I6"


def _rollback_goes_to_a_ready_primary(walked: Walked) -> None:
    owed = walked.after.run.obligation is Obligation.ROLLBACK
    if not owed or walked.before.run.obligation:
        return
    if walked.seen.primary.ready and walked.seen.primary.available:
        assert walked.after.route.canary == 0, "I6"


def _no_rollback_from_the_revision_in_production(walked: Walked) -> None:
    """A primary that carries the revision and serves is not a reason to fail the release."""
    owed = walked.after.run.obligation is Obligation.ROLLBACK
    if owed and not walked.before.run.obligation and walked.before.phase is Phase.PROMOTING:
        assert not (walked.seen.promoted and walked.seen.primary.ready)


def _more_traffic_only_to_pods_that_are_there(walked: Walked) -> None:
    before, after = walked.case.route, walked.after.route
    if after.canary > before.canary or (after.mirrored and not before.mirrored):
        if walked.after.run.obligation is Obligation.KEEP_CANARY:
            assert not walked.seen.primary.ready
            return
        if _strands(walked):
            assert not walked.seen.primary.available
            return
        assert walked.before.phase in ANALYSING
        assert walked.seen.target.ready, "I2"
        assert walked.seen.target.available, "I2"
        primary = walked.seen.primary
        assert primary.ready or walked.before.run.primary_broken or walked.case.canary.skip_analysis


def _strands(walked: Walked) -> bool:
    """A run that begins while the primary has no pods keeps traffic where it can be served."""
    starts = walked.decision.rule in ("restart", "opened", "start")
    return starts and walked.after.run.promotion_failed


def _stranded_traffic_is_all_traffic(walked: Walked) -> None:
    if walked.after.run.promotion_failed:
        assert walked.after.route.canary == 100


def _conditions_are_kept(walked: Walked) -> None:
    """What was decided for those who meet conditions is never meant for everybody."""
    run = walked.after.run
    if walked.after.route.canary > walked.case.route.canary and not run.promotion_failed:
        assert run.conditional == bool(walked.case.analysis.match)
    if run.conditional and not walked.case.analysis.match:
        assert walked.decision.rule not in ("ab_testing", "blue_green", "progressive")


def _only_what_was_analysed_is_promoted(walked: Walked) -> None:
    if _promotes(walked.after) and not _promotes(walked.before):
        assert not walked.case.superseded, "fault D"
        assert walked.seen.target.ready
        assert walked.seen.target.available, "fault E"
    if walked.after.last_promoted_spec != walked.before.last_promoted_spec:
        assert walked.decision.rule in ("bootstrap", "unfinished", "finalising", "adopt"), "I3"
        assert walked.after.last_promoted_spec == walked.after.last_applied_spec


def _promotes(status: CanaryStatus) -> bool:
    """The analysis is over, and passed."""
    owed = status.run.obligation
    return owed is Obligation.PROMOTE or status.phase in (Phase.PROMOTING, Phase.FINALISING)


def _phases_of_a_promotion_are_true(walked: Walked) -> None:
    """Upstream goes by the phase: the primary is written, and has all traffic."""
    entered = walked.after.phase if walked.after.phase is not walked.before.phase else None
    if entered is Phase.PROMOTING:
        assert walked.seen.promoted
    if entered is Phase.FINALISING:
        assert walked.seen.settled
        assert walked.before.route == Route()


def _revisions_are_not_swallowed(walked: Walked) -> None:
    """`lastAppliedSpec` moves only with the decision that acts on it (fault A, I4)."""
    if walked.after.last_applied_spec == walked.before.last_applied_spec:
        return
    assert walked.decision.rule in (
        *("bootstrap", "adopt", "start", "restart", "rollback_while_waiting"),
    )
    assert walked.after.last_applied_spec == walked.seen.revision.spec
    if walked.decision.rule == "adopt" and not walked.seen.foreign_hash:
        assert walked.after.last_applied_spec == walked.after.last_promoted_spec
        assert not walked.after.run.promotion_failed, "the primary does not carry it"


def _nothing_advances_early(walked: Walked) -> None:
    """I5: not due, so no step, no iteration, no failed check, no promotion."""
    before, after = walked.before, walked.after
    advanced = (
        after.route.canary > before.route.canary
        or after.iterations > before.iterations
        or after.failed_checks > before.failed_checks
        or (
            (after.phase, before.phase) == (Phase.PROMOTING, Phase.PROMOTING)
            and after.route != before.route
            and walked.decision.rule != "promotion_superseded"  # away from what nobody analysed
        )
        or (_promotes(after) and not _promotes(before))
    )
    if advanced and not _strands(walked):
        assert walked.case.due, "I5"
        assert walked.decision.ticked or after.run.ticked_at != before.run.ticked_at
    if walked.decision.ticked and walked.choices.made("due") is False:
        assert walked.decision.rule in EARLY, "an early walk uses up the interval"


def _advances_are_recorded(walked: Walked) -> None:
    """A decision that used up the interval and changed the status says when."""
    told = conditions.told(walked.before) != conditions.told(walked.after)
    if walked.decision.ticked and walked.after != walked.before and not told:
        assert walked.after.run.ticked_at


def _announcements(walked: Walked) -> None:
    said = walked.decision.announcements
    assert all(each.text for each in said if isinstance(each, Event | Alert)), said
    assert sum(isinstance(each, Alert) for each in said) <= 1, "I7"
    outcomes = [each for each in said if isinstance(each, Outcome)]
    if outcomes:
        assert walked.decision.rule == "announce"
        assert outcomes[0].succeeded is (walked.before.phase is Phase.SUCCEEDED)
    if walked.decision.announce_first:
        assert walked.before.run.unannounced
        assert not walked.after.run.unannounced


def _conditions(walked: Walked) -> None:
    status = walked.after
    promoted = [each for each in status.conditions if each.type == conditions.PROMOTED]
    if status.phase is not Phase.NEW:
        assert [each.reason for each in promoted] == [status.phase.value]
        assert status.conditions[0] is promoted[0]
    ready = [(each.status, each.message) for each in status.conditions[len(promoted) :]]
    if walked.seen.problem:
        assert ready == [("False", walked.seen.problem)]
    elif walked.seen.warning:
        assert ready == [("True", walked.seen.warning)]
    else:
        assert ready == []


def _odd_manifests_are_told_once(walked: Walked) -> None:
    """In an event, when the condition does not say so yet; a problem in a run at every tick."""
    texts = [said.text for said in walked.decision.announcements if isinstance(said, Event)]
    before = conditions.told(walked.before)
    for told in (walked.seen.problem, not walked.seen.problem and walked.seen.warning):
        if told and told != before:
            assert texts.count(told) == 1
        elif told and walked.before.phase not in ACTIVE:
            assert told not in texts


def _questions_are_bounded(walked: Walked) -> None:
    analysis = walked.case.analysis
    assert len(walked.asked) <= len(analysis.webhooks) + 2 * len(analysis.metrics) + 1


def _idle_writes_nothing(walked: Walked) -> None:
    """I8, S29, S33: between runs nothing is written unless the target or the spec changed."""
    if walked.decision.rule == "unchanged" and not walked.seen.warning:
        assert not walked.decision.announcements
        if not conditions.told(walked.before):
            assert walked.after is walked.before


_PROPERTIES = {
    function.__name__.strip("_").replace("_", " "): function
    for function in (
        _transition,
        _numbers,
        _consistent,
        _weight_is_reported,
        _traffic_on_a_healthy_version_when_failed,
        _rollback_goes_to_a_ready_primary,
        _no_rollback_from_the_revision_in_production,
        _more_traffic_only_to_pods_that_are_there,
        _stranded_traffic_is_all_traffic,
        _conditions_are_kept,
        _only_what_was_analysed_is_promoted,
        _phases_of_a_promotion_are_true,
        _revisions_are_not_swallowed,
        _nothing_advances_early,
        _advances_are_recorded,
        _announcements,
        _conditions,
        _odd_manifests_are_told_once,
        _questions_are_bounded,
        _idle_writes_nothing,
    )
}


def valid(status: CanaryStatus) -> bool:
    """Statuses that the engine can have written."""
    return status.phase in ACTIVE or not status.run.obligation
