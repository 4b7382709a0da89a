"""A Job from its template, and what it says: pure (spec helmtester B.10)."""

import hashlib
import math
import re
from typing import Any, Final

import yaml

from flagger_common import helmtest
from flagger_common.cluster import Object
from flagger_common.payload import CanaryWebhookPayload

from .outcome import Result

MANAGER: Final = "app.kubernetes.io/managed-by"
"""Label of the Jobs that are ours."""
US: Final = "flagger-helmtester"
"""Its value."""
CANARY: Final = "flagger.app/canary"
"""Label with the name of the canary."""

TTL_SECONDS: Final = 600
"""When the cluster removes a finished Job that we did not, because we were killed."""

_LABEL: Final = re.compile(r"[a-z0-9]([-a-z0-9.]{0,61}[a-z0-9])?")
_REFERENCE: Final = re.compile(r"([a-z0-9][-a-z0-9.]{0,252})/([-._a-zA-Z0-9]{1,253})")
_READABLE: Final = 40
"""Characters of the canary's name in the name of a Job, of 63."""


class _Loader(yaml.CSafeLoader):
    """Reads YAML as Kubernetes does: a date is text. In C, where depth has a limit."""


def _as_text(loader: _Loader, node: yaml.ScalarNode) -> object:
    return loader.construct_scalar(node)


_Loader.add_constructor("tag:yaml.org,2002:timestamp", _as_text)


def reference(template: str) -> tuple[str, str]:
    """Split `configmap/key`.

    Raises:
        RefusedError: it is something else.
    """
    found = _REFERENCE.fullmatch(template)
    if found is None:
        raise helmtest.RefusedError(f"template not allowed: {template} is not configmap/key")
    return found[1], found[2]


def name(sent: CanaryWebhookPayload, template: str) -> str:
    """Return the name of the Job: the same for the same question, so that it is found again.

    Raises:
        RefusedError: the name of the canary is none.
    """
    if not _LABEL.fullmatch(sent.name):
        raise helmtest.RefusedError(f"name not allowed: {sent.name}")
    question = "\0".join([sent.name, sent.namespace, sent.checksum, template])
    digest = hashlib.sha256(question.encode()).hexdigest()[:12]
    readable = sent.name[:_READABLE].replace(".", "-").rstrip("-")
    return f"{readable}-test-{digest}"


def build(template: str, job: str, sent: CanaryWebhookPayload, seconds: float) -> Object:
    """Return the Job to create.

    Name and namespace are ours; so are its labels beside those of the template, its owners (none)
    and the limits of its life.

    Args:
        template: a Job as YAML or JSON, without anchors.
        job: its name.
        sent: who asks for it.
        seconds: longest time it may run.

    Raises:
        RefusedError: the template is no Job.
    """
    read = _read(template)
    kind = (read.get("apiVersion"), read.get("kind")) if isinstance(read, dict) else None
    if kind != ("batch/v1", "Job"):
        raise helmtest.RefusedError("template not allowed: only a Job of batch/v1 is")
    made: Object = read
    try:
        _label(made, sent)
        _label(made["spec"]["template"], sent)
        limit = made["spec"].get("activeDeadlineSeconds") or math.inf
        made["spec"]["activeDeadlineSeconds"] = math.ceil(min(seconds, limit))
        made["spec"].setdefault("ttlSecondsAfterFinished", TTL_SECONDS)
    except (AttributeError, KeyError, TypeError) as error:
        raise helmtest.RefusedError(f"template not allowed: malformed at {error}") from error
    made["metadata"] |= {"name": job, "namespace": sent.namespace}
    return made


def verdict(job: Object) -> tuple[Result, str] | None:
    """Return how a Job ended and why; None while it has not."""
    for condition in (job.get("status") or {}).get("conditions") or []:
        if condition.get("status") != "True":
            continue
        if condition.get("type") == "Complete":
            return Result.PASSED, ""
        if condition.get("type") == "Failed":
            reason = condition.get("reason", "")
            result = Result.TIMEOUT if reason == "DeadlineExceeded" else Result.FAILED
            return result, f"job {job['metadata']['name']} failed: {reason}"
    return None


def ours(job: Object) -> bool:
    """Say whether a Job that is there already was made by this service."""
    return (job["metadata"].get("labels") or {}).get(MANAGER) == US


def _read(template: str) -> Any:
    try:
        # An alias is refused, as a few lines of them can stand for gigabytes.
        if any(isinstance(event, yaml.AliasEvent) for event in yaml.parse(template, _Loader)):
            raise helmtest.RefusedError("template not allowed: write it without anchors (&, *)")
        return yaml.load(template, _Loader)  # noqa: S506 - a SafeLoader
    except (yaml.YAMLError, ValueError) as error:
        raise helmtest.RefusedError(f"template not allowed: not YAML: {error}") from error


def _label(part: Object, sent: CanaryWebhookPayload) -> None:
    """Keep labels and annotations of a template, add ours, and nothing else."""
    metadata = part.get("metadata") or {}
    labels = {**(metadata.get("labels") or {}), MANAGER: US, CANARY: sent.name}
    part["metadata"] = {"labels": labels, "annotations": metadata.get("annotations") or {}}
