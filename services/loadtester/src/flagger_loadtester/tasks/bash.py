"""A bash command whose result decides the hook, say ``bats /tests/acceptance.bats``."""

from flagger_common.payload import CanaryWebhookPayload

from . import base


def prepare(payload: CanaryWebhookPayload) -> base.Work:
    """Read ``cmd``, where missing is the same as empty, and ``returnCmdOutput``."""
    return base.blocking_command(payload, ("bash", "-c", payload.metadata.get("cmd", "")))


TASK = base.TaskType("bash", blocking=True, prepare=prepare)
