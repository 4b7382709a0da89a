"""``kubectl`` with arguments split on white space; quotes stay literal, as upstream."""

from flagger_common.payload import CanaryWebhookPayload

from . import base


def prepare(payload: CanaryWebhookPayload) -> base.Work:
    """Read ``cmd`` and ``returnCmdOutput``."""
    return base.blocking_command(payload, ("kubectl", *payload.metadata.get("cmd", "").split()))


TASK = base.TaskType("kubectl", blocking=True, prepare=prepare)
