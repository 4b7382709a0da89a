"""The engine for tests that are Kubernetes Jobs (spec helmtester B.10)."""

import dataclasses
import fnmatch
import http
import logging
import threading
import time
from collections.abc import Sequence
from typing import Final

from flagger_common import durations, helmtest, output, words
from flagger_common.cluster import ApiError, Cluster, Object
from flagger_common.payload import CanaryWebhookPayload

from . import classify, flights, job, outcome, release
from .outcome import Result
from .pods import Pods

logger = logging.getLogger(__name__)

_POLL_SECONDS: Final = 1.0
_SLACK_SECONDS: Final = 30.0
"""How much longer than the Job's own deadline we wait: for its image, and for its controller."""


class Jobs:
    """Runs Jobs made from templates in the canary's namespace."""

    def __init__(
        self,
        cluster: Cluster,
        templates: Sequence[str],
        limit: float,
        poll: float = _POLL_SECONDS,
    ) -> None:
        """Take what is needed to run Jobs.

        Args:
            cluster: where.
            templates: patterns of the ConfigMaps that may hold templates.
            limit: longest time of a Job, seconds.
            poll: seconds between two looks at a Job.
        """
        self._cluster = cluster
        self._pods = Pods(cluster)
        self._templates = templates
        self._limit = limit
        self._poll = poll
        self._stopped = threading.Event()

    def stop_all(self) -> None:
        """End every test, and begin none any more."""
        self._stopped.set()

    def task(self, sent: CanaryWebhookPayload) -> outcome.Task:
        """Return what a hook asks for.

        Raises:
            RefusedError: its template is not allowed.
        """
        template = sent.metadata.get("template", "")
        config_map, _ = job.reference(template)
        if not any(fnmatch.fnmatchcase(config_map, pattern) for pattern in self._templates):
            raise helmtest.RefusedError(f"template not allowed: config map {config_map}")
        seconds = self._seconds(sent.metadata.get("timeout", ""))
        name = job.name(sent, template)
        return outcome.Task(
            flights.Lane(helmtest.check_namespace(sent.namespace), f"job/{name}"),
            (sent.canary, sent.checksum, template, seconds),
            template,
            lambda wanted: self._run(sent, name, template, seconds, wanted),
        )

    def _seconds(self, timeout: str) -> float:
        try:
            seconds = durations.parse(timeout) if timeout else self._limit
        except ValueError as error:
            raise helmtest.RefusedError(f"timeout not allowed: {error}") from error
        if seconds <= 0:
            raise helmtest.RefusedError(f"timeout not allowed: {timeout} is not positive")
        return min(seconds, self._limit)

    def _run(
        self,
        sent: CanaryWebhookPayload,
        name: str,
        template: str,
        seconds: float,
        wanted: flights.Wanted,
    ) -> outcome.Report:
        started = time.monotonic()
        tests: tuple[outcome.Test, ...] = ()
        missing = ""
        try:
            made = job.build(self._template(sent.namespace, template), name, sent, seconds)
            end = started + seconds + _SLACK_SECONDS
            self._create(made, end)
            try:
                result, reason = self._finished(made, end, wanted)
                tests = self._pods.of_job(sent.namespace, name)
            finally:
                self._delete(sent.namespace, name)
        except helmtest.RefusedError as error:
            result, reason = Result.REFUSED, str(error)
        except ApiError as error:
            (result, missing), reason = _meaning(error), str(error)
        printed = "".join(f"POD LOGS: {test.name}\n{test.log}\n" for test in tests)
        short = tuple(dataclasses.replace(test, log=release.tail(test.log)) for test in tests)
        took = time.monotonic() - started
        return outcome.Report(result, _bounded(printed), reason, missing, 0, short, took)

    def _template(self, namespace: str, template: str) -> str:
        config_map, key = job.reference(template)
        path = f"/api/v1/namespaces/{namespace}/configmaps/{config_map}"
        try:
            data = self._cluster.call("GET", path, namespace).get("data") or {}
        except ApiError as error:
            if error.status != http.HTTPStatus.NOT_FOUND:
                raise
            raise helmtest.RefusedError(f"template not found: {error}") from error
        if key not in data:
            raise helmtest.RefusedError(f"template not found: config map {config_map} has no {key}")
        return str(data[key])

    def _create(self, made: Object, end: float) -> None:
        """Create a Job, or find the one that an earlier process of ours left behind.

        Raises:
            ApiError: neither was possible.
        """
        namespace, name = made["metadata"]["namespace"], made["metadata"]["name"]
        while True:
            try:
                self._cluster.call("POST", _path(namespace), namespace, made)
                return
            except ApiError as error:
                over = time.monotonic() > end or self._stopped.is_set()
                if error.status != http.HTTPStatus.CONFLICT or over:
                    raise
                conflict = error
            there = self._find(namespace, name)
            if there is not None and not job.ours(there):
                raise conflict
            if there is not None and not there["metadata"].get("deletionTimestamp"):
                return
            self._stopped.wait(self._poll)

    def _finished(self, made: Object, end: float, wanted: flights.Wanted) -> tuple[Result, str]:
        """Wait for the end of a Job; return how it ended and why."""
        namespace, name = made["metadata"]["namespace"], made["metadata"]["name"]
        while time.monotonic() < end:
            if self._stopped.is_set() or not wanted():
                return Result.UNAVAILABLE, words.TERMINATED
            try:
                there = self._find(namespace, name)
            except ApiError as error:
                if not error.temporary:
                    raise
                logger.warning("job %s in %s: %s", name, namespace, error)
            else:
                if there is None:
                    return Result.FAILED, f"job {name} was deleted"
                if verdict := job.verdict(there):
                    return verdict
            self._stopped.wait(self._poll)
        return Result.TIMEOUT, f"job {name} has not ended"

    def _find(self, namespace: str, name: str) -> Object | None:
        try:
            return self._cluster.call("GET", _path(namespace, name), namespace)
        except ApiError as error:
            if error.status == http.HTTPStatus.NOT_FOUND:
                return None
            raise

    def _delete(self, namespace: str, name: str) -> None:
        """Remove a Job and its pods; what cannot be removed goes by its time to live."""
        path = f"{_path(namespace, name)}?propagationPolicy=Background"
        try:
            self._cluster.call("DELETE", path, namespace)
        except ApiError as error:
            if error.status != http.HTTPStatus.NOT_FOUND:
                logger.warning("job %s in %s stays: %s", name, namespace, error)


def _meaning(error: ApiError) -> tuple[Result, str]:
    """Return what an error of the API means, and the right that was missing."""
    if error.status == http.HTTPStatus.FORBIDDEN:
        return Result.FORBIDDEN, classify.missing(str(error))
    unusable = error.temporary or error.status == http.HTTPStatus.UNAUTHORIZED
    return (Result.UNAVAILABLE if unusable else Result.FAILED), ""


def _bounded(text: str) -> str:
    kept = output.Capture(outcome.OUTPUT_BYTES)
    kept.add(text.encode())
    return outcome.clean(kept.text())


def _path(namespace: str, name: str = "") -> str:
    path = f"/apis/batch/v1/namespaces/{namespace}/jobs"
    return f"{path}/{name}" if name else path
