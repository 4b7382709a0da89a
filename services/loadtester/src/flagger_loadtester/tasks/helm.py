"""``helm`` with arguments split on white space, say ``test podinfo -n test``.

The split is upstream's: quotes stay literal. The helmtester service is the careful way to do this.
"""

from flagger_common.payload import CanaryWebhookPayload

from . import base


def prepare(payload: CanaryWebhookPayload) -> base.Work:
    """Read ``cmd``; ``helmv3`` is the same program, as no binary of that name exists."""
    return base.blocking_command(payload, ("helm", *payload.metadata.get("cmd", "").split()))


TASK = base.TaskType("helm", blocking=True, prepare=prepare)
