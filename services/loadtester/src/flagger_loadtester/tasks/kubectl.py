"""``kubectl`` with arguments split on white space; quotes stay literal, as upstream.

Strict mode reads quotes and runs what the policy file allows, in the payload's namespace.
"""

import dataclasses

from flagger_common.payload import CanaryWebhookPayload
from flagger_common.plan import Plan

from .. import grammar
from ..policy import kubectl
from ..policy.guard import Guard
from . import base


def prepare(payload: CanaryWebhookPayload) -> base.Command:
    """Read ``cmd`` and ``returnCmdOutput``."""
    words = payload.metadata.get("cmd", "").split()
    return base.blocking_command(payload, Plan.of(("kubectl", *words)))


def strict(payload: CanaryWebhookPayload, guard: Guard) -> base.Work:
    """Read the same, by the policy."""
    command = prepare(payload)
    words = kubectl.build(grammar.words(command.text), guard.scope(payload.namespace))
    plan = Plan.of((guard.program("kubectl"), *words))
    return dataclasses.replace(command, plan=plan, confinement=guard.cluster)


TASK = base.TaskType("kubectl", blocking=True, prepare=prepare, strict=strict)
