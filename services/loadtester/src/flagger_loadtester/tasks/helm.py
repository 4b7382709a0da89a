"""``helm`` with arguments split on white space, say ``test podinfo -n test``.

The split is upstream's: quotes stay literal. Strict mode runs ``helm test`` only, by the rules of
the helmtester service.
"""

import dataclasses

from flagger_common import helmtest
from flagger_common.payload import CanaryWebhookPayload
from flagger_common.plan import Plan

from ..policy.guard import Guard
from ..policy.scope import RefusedError
from . import base


def prepare(payload: CanaryWebhookPayload) -> base.Command:
    """Read ``cmd``; ``helmv3`` is the same program, as no binary of that name exists."""
    words = payload.metadata.get("cmd", "").split()
    return base.blocking_command(payload, Plan.of(("helm", *words)))


def strict(payload: CanaryWebhookPayload, guard: Guard) -> base.Work:
    """Read the same and ``timeout``; the release is in the payload's namespace."""
    command = prepare(payload)
    policy = helmtest.Policy(guard.scope(payload.namespace).duration)
    timeout = payload.metadata.get("timeout", "")
    try:
        test = helmtest.build(command.text, payload.namespace, timeout, policy)
    except helmtest.RefusedError as error:
        raise RefusedError(str(error)) from error
    plan = Plan.of((guard.program("helm"), *test.arguments))
    return dataclasses.replace(command, plan=plan, confinement=guard.cluster, notes=test.notes)


TASK = base.TaskType("helm", blocking=True, prepare=prepare, strict=strict)
