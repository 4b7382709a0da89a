"""One task between being accepted and being over."""

from flagger_loadtester.leftovers import Leftovers
from flagger_loadtester.orders import Order
from flagger_loadtester.outcome import Outcome
from flagger_loadtester.run import Run

from .held import BACKGROUND, Held, payload


def made(work: Held) -> Run:
    run = Run(Order(BACKGROUND, work, payload()), 100, 1024, Leftovers())
    run.begin()
    return run


def test_a_task_that_was_cancelled_before_its_thread_began_does_nothing() -> None:
    work = Held()
    run = made(work)
    run.cancel("no more")
    run.end(run.perform())
    assert not work.begun.is_set()
    assert (run.record.state, run.record.reason) == ("cancelled", "no more")


def test_the_first_reason_counts() -> None:
    run = made(Held())
    run.cancel("no more")
    run.cancel("shutting down")
    run.end(Outcome("", "signal: killed"))
    assert run.record.reason == "no more"


def test_a_success_counts_although_it_was_about_to_be_cancelled() -> None:
    run = made(Held())
    run.cancel("no more")
    run.end(Outcome("out"))
    assert (run.record.state, run.record.reason, run.record.output) == ("succeeded", "", "out")
