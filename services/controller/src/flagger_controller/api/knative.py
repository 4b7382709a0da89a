"""What a Knative Service says about its revisions, for the target kind and the router alike."""

from collections.abc import Mapping
from typing import Any, Final

from flagger_controller.api.base import Object

PRIMARY_REVISION: Final = "flagger.app/primary-revision"
"""Annotation of a Knative Service: the revision that serves production."""


def primary(service: Object) -> str:
    """The revision that is marked as the primary; empty when none is."""
    return str((service["metadata"].get("annotations") or {}).get(PRIMARY_REVISION) or "")


def latest(service: Object) -> str:
    """The revision of the latest template; empty until Knative has made one."""
    return str((service.get("status") or {}).get("latestCreatedRevisionName") or "")


def condition(body: Object, kind: str) -> Mapping[str, Any]:
    """A condition in the status of a Knative object; empty when it is not there."""
    found = (body.get("status") or {}).get("conditions") or ()
    return next((entry for entry in found if entry.get("type") == kind), {})


def observed(body: Object) -> bool:
    """Has Knative acted on the object as it is now?"""
    seen = (body.get("status") or {}).get("observedGeneration") or 0
    return int(seen) >= int(body["metadata"].get("generation") or 0)


def ready(revision: Object) -> bool:
    """Can a revision serve? It does so from zero pods, too."""
    return observed(revision) and condition(revision, "Ready").get("status") == "True"
