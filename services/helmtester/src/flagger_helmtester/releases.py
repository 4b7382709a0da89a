"""The engine for `helm test`: from a hook to a task, and from a run to a report."""

import datetime
import logging
import time
from collections.abc import Callable
from typing import Final

from flagger_common import helmtest
from flagger_common.payload import CanaryWebhookPayload

from . import classify, flights, helm, outcome, release
from .outcome import Result

logger = logging.getLogger(__name__)

_ENDS: Final = {
    helm.End.TIME: Result.TIMEOUT,
    helm.End.STOP: Result.UNAVAILABLE,
    helm.End.NO_START: Result.UNAVAILABLE,
}
_RAN: Final = (Result.PASSED, Result.FAILED, Result.TIMEOUT)
"""Results after which the release has something to tell about its tests."""

ExitCode = Callable[[str, str], int | None]
"""Returns the exit code of a pod, by namespace and name; None when it is not known."""


def unknown(namespace: str, pod: str) -> int | None:
    """Know no exit code: Helm does not tell them, and without the API nobody else does."""
    del namespace, pod
    return None


class Releases:
    """Tests releases with a Helm program."""

    def __init__(
        self,
        program: helm.Program,
        policy: helmtest.Policy,
        impersonate: str = "",
        exit_code: ExitCode = unknown,
    ) -> None:
        """Take what is needed to run tests.

        Args:
            program: what runs them.
            policy: what is allowed.
            impersonate: service account, of the release's namespace, whose rights count; empty:
                those of the process (spec helmtester B.6).
            exit_code: how to learn the exit code of a test pod.
        """
        self._program = program
        self._policy = policy
        self._impersonate = impersonate
        self._exit_code = exit_code

    def task(self, sent: CanaryWebhookPayload) -> outcome.Task:
        """Return what a hook asks for.

        Raises:
            RefusedError: the command is not allowed.
        """
        cmd = sent.metadata.get("cmd", "")
        timeout = sent.metadata.get("timeout", "")
        test = helmtest.build(cmd, sent.namespace, timeout, self._policy)
        return outcome.Task(
            flights.Lane(test.namespace, test.release),
            (sent.canary, sent.checksum, test.arguments),
            cmd,
            lambda wanted: self._run(test, wanted),
            test.notes,
        )

    def _run(self, test: helmtest.TestCommand, wanted: flights.Wanted) -> outcome.Report:
        begun, started = datetime.datetime.now(datetime.UTC), time.monotonic()
        ended = self._program.run([*test.arguments, *self._identity(test.namespace)], wanted)
        result, missing = _verdict(ended)
        revision, tests = self._told(test, ended, begun) if result in _RAN else (0, ())
        return outcome.Report(
            result,
            ended.output,
            ended.reason,
            missing,
            revision,
            tests,
            time.monotonic() - started,
        )

    def _identity(self, namespace: str) -> list[str]:
        if not self._impersonate:
            return []
        return ["--kube-as-user", f"system:serviceaccount:{namespace}:{self._impersonate}"]

    def _told(
        self, test: helmtest.TestCommand, ended: helm.Outcome, begun: datetime.datetime
    ) -> tuple[int, tuple[outcome.Test, ...]]:
        """Return the release's revision and its tests; a report without them is still one."""
        question = ["status", test.release, "--namespace", test.namespace, "--output", "json"]
        try:
            printed = self._program.query([*question, *self._identity(test.namespace)])
            revision, hooks = release.parse(printed)
            found = release.tests(hooks, begun)
        except (OSError, ValueError) as error:
            logger.warning("status of %s in %s: %s", test.release, test.namespace, error)
            return 0, ()
        logs = release.logs(ended.output, [each.name for each in found])
        return revision, tuple(self._completed(each, test.namespace, logs) for each in found)

    def _completed(self, test: outcome.Test, namespace: str, logs: dict[str, str]) -> outcome.Test:
        failed = test.phase == "Failed"
        code = self._exit_code(namespace, test.name) if failed else None
        return outcome.Test(
            test.name, test.phase, test.started, test.completed, code, logs.get(test.name, "")
        )


def _verdict(ended: helm.Outcome) -> tuple[Result, str]:
    if ended.end in _ENDS:
        return _ENDS[ended.end], ""
    return classify.failure(ended.output) if ended.reason else (Result.PASSED, "")
