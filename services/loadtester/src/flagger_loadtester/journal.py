"""What the log says about tasks; upstream's texts where it has one (loadtester.md section 3.3)."""

import logging

from .orders import Order
from .outcome import Outcome

logger = logging.getLogger(__name__)


def starting(order: Order) -> None:
    """A task begins."""
    _info("task starting %s", order)


def ended(order: Order, outcome: Outcome) -> None:
    """A task has ended; output is logged after a failure, or where the task wants it."""
    work, extra = order.work, _tags(order)
    if outcome.reason:
        text = (work.label, outcome.reason, outcome.output)
        logger.error("command failed %s %s %s", *text, extra=extra)
        return
    if work.log_output:
        extra["output"] = outcome.output
    logger.info("command finished %s", work.label, extra=extra)


def broken(order: Order) -> None:
    """A task raised the exception that is being handled."""
    logger.exception("command failed %s", order.work.label, extra=_tags(order))


def skipped(order: Order) -> None:
    """The same task runs or waits already."""
    _info("command skipped %s is already running", order)


def joined(order: Order) -> None:
    """A request waits for the same task of another one."""
    _info("command joined %s is already running", order)


def done(order: Order) -> None:
    """A task with ``onlyOnce`` has succeeded before."""
    _info("command skipped %s has succeeded already", order)


def queued(order: Order) -> None:
    """A task waits for a place."""
    _info("command queued %s", order)


def cancelled(order: Order, why: str) -> None:
    """A task is made to end."""
    logger.info("command cancelled %s: %s", order.work.label, why, extra=_tags(order))


def _info(text: str, order: Order) -> None:
    logger.info(text, order.work.label, extra=_tags(order))


def _tags(order: Order) -> dict[str, object]:
    return {"canary": order.work.canary}
