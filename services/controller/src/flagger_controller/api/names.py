"""Names in a Canary that Kubernetes does not take, or not together with our suffix. Pure."""

import re
from collections.abc import Iterator
from typing import Final

from flagger_controller.api.canary import Canary

_OBJECT: Final = re.compile(r"[a-z0-9]([-.a-z0-9]*[a-z0-9])?")
_SERVICE: Final = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")
_LONGEST_SERVICE: Final = 63 - len("-primary")
"""Characters of a Service name that leave room for our suffix."""
_LONGEST_STATEFUL_SET: Final = 52 - len("-primary")
"""Kubernetes makes labels of the names of StatefulSets, with a hash of eleven characters."""


def of_objects(canary: Canary) -> Iterator[str]:
    """What is wrong with the names of target and autoscaler.

    The API server takes a read without a name for one of all objects of the kind.
    """
    spec = canary.spec
    references = {"targetRef": spec.target_ref, "autoscalerRef": spec.autoscaler_ref}
    for field, reference in references.items():
        if reference is not None and not _OBJECT.fullmatch(reference.name):
            yield f'spec.{field}.name "{reference.name}" is not the name of an object: correct it'
    ref = spec.target_ref
    if ref.kind == "StatefulSet" and len(ref.name) > _LONGEST_STATEFUL_SET:
        yield (
            f'spec.targetRef.name: a StatefulSet "{canary.primary}" would get no pods, its name is '
            f"too long: use a target with a name of at most {_LONGEST_STATEFUL_SET} characters"
        )


def of_service(canary: Canary) -> Iterator[str]:
    """What is wrong with the name from which those of the generated Services are made."""
    name, target = canary.apex_service, canary.spec.target_ref
    if name and not _SERVICE.fullmatch(name):
        yield (
            f'spec.service.name: "{name}" is not the name of a Service; '
            "set one of lower-case letters, digits and -"
        )
    if len(name) > _LONGEST_SERVICE:
        yield (
            f'spec.service.name: "{name}-primary" would be longer than 63 characters; '
            f"set a name of at most {_LONGEST_SERVICE}"
        )
    if target.kind == "Service" and name != target.name:
        yield (
            f'spec.service.name "{name}" must be the name of the target Service "{target.name}": '
            "remove it"
        )
