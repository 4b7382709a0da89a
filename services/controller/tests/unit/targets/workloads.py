"""What the tests of the workload kinds share: a target of any kind, and its new primary."""

import copy
from collections.abc import Callable
from typing import Any

from flagger_controller.api.base import Object
from flagger_controller.api.canary import Canary
from flagger_controller.targets import primary as primaries

Build = Callable[..., Any]
"""A fixture that builds something; its arguments say what is not as usual."""


def of_kind(kind: str, deployment: Object, spec: Object) -> Object:
    """The Deployment as a workload of another kind, with this spec beside selector and template."""
    kept = {field: deployment["spec"][field] for field in ("selector", "template")}
    return copy.deepcopy(deployment | {"kind": kind, "spec": kept | spec})


def new_primary(canary: Canary, kind: str, template: Object, spec: Object) -> Object:
    """The primary as it is created, with this spec beside selector and template.

    Without its identity, which tests take away with `take_identity`.
    """
    labels = {"app": "podinfo-primary"}
    return {
        "apiVersion": "apps/v1",
        "kind": kind,
        "metadata": {
            "name": "podinfo-primary",
            "namespace": "test",
            "labels": labels,
            "ownerReferences": [canary.owner_reference],
        },
        "spec": {
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": template["spec"]},
        }
        | spec,
    }


def take_identity(primary: Object) -> str:
    """Remove the annotations of the primary's pods, and return the identity that is all of them."""
    annotations = primary["spec"]["template"]["metadata"].pop("annotations")
    assert annotations.keys() == {primaries.IDENTITY}
    return str(annotations[primaries.IDENTITY])
