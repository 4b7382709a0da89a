"""The default task: a shell command in the background, say ``hey -z 1m http://podinfo.test/``."""

from flagger_common.payload import CanaryWebhookPayload

from . import base


def prepare(payload: CanaryWebhookPayload) -> base.Work:
    """Read ``cmd`` and ``logCmdOutput``; an empty command is a task that does nothing."""
    command = payload.metadata.get("cmd")
    if command is None:
        raise base.TaskError("cmd not found in metadata")
    return base.Command(
        canary=payload.canary,
        label=command,
        argv=("sh", "-c", command),
        log_output=base.flag(payload.metadata, "logCmdOutput"),
    )


TASK = base.TaskType("cmd", blocking=False, prepare=prepare)
