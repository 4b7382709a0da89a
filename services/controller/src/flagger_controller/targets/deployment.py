"""Deployments as targets (targets.md section 5)."""

from functools import partial
from typing import Final

from flagger_controller.cluster import resources
from flagger_controller.targets import readiness
from flagger_controller.targets.replicas import ByReplicas
from flagger_controller.targets.workload import Kind, Workload

KIND: Final = Kind(
    resource=resources.DEPLOYMENTS,
    scaling=ByReplicas(),
    carried=("progressDeadlineSeconds", "minReadySeconds", "revisionHistoryLimit", "strategy"),
    health=readiness.deployment,
)
Deployment: Final = partial(Workload, KIND)
