"""A command whose result decides the hook, say ``bats /tests/acceptance.bats``."""

from flagger_common.payload import CanaryWebhookPayload
from flagger_common.plan import Plan

from ..policy.guard import Guard
from . import base


def prepare(payload: CanaryWebhookPayload) -> base.Command:
    """Read ``cmd``, where missing is the same as empty, and ``returnCmdOutput``."""
    plan = Plan.of(("bash", "-c", payload.metadata.get("cmd", "")))
    return base.blocking_command(payload, plan)


def strict(payload: CanaryWebhookPayload, guard: Guard) -> base.Work:
    """Read the same and ``pipefail``, by the policy."""
    return base.confined(prepare(payload), payload, guard, "bash")


TASK = base.TaskType("bash", blocking=True, prepare=prepare, strict=strict)
