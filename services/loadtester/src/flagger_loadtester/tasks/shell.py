"""The default task: a command in the background, say ``hey -z 1m http://podinfo.test/``."""

from flagger_common.payload import CanaryWebhookPayload
from flagger_common.plan import Plan

from ..policy.guard import Guard
from . import base


def prepare(payload: CanaryWebhookPayload) -> base.Command:
    """Read ``cmd`` and ``logCmdOutput``; an empty command is a task that does nothing."""
    command = payload.metadata.get("cmd")
    if command is None:
        raise base.TaskError("cmd not found in metadata")
    return base.background_command(payload, Plan.of(("sh", "-c", command)))


def strict(payload: CanaryWebhookPayload, guard: Guard) -> base.Work:
    """Read the same and ``pipefail``, by the policy."""
    return base.confined(prepare(payload), payload, guard, "sh")


TASK = base.TaskType("cmd", blocking=False, prepare=prepare, strict=strict)
