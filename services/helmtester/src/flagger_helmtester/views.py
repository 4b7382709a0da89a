"""The endpoints: any path takes a task, the gates of upstream's load tester are not here."""

import logging
from typing import Final

import flask
import prometheus_client

from flagger_common import flaskkit, helmtest, payload

from . import flights, helm, settings

logger = logging.getLogger(__name__)

Payload = payload.CanaryWebhookPayload

_TYPES: Final = ("helm", "helmv2", "helmv3")
_GATES: Final = (
    "/gate/approve",
    "/gate/halt",
    "/gate/check",
    "/gate/open",
    "/gate/close",
    "/rollback/check",
    "/rollback/open",
    "/rollback/close",
)
_RETRY_AFTER_SECONDS: Final = 15


class Counters:
    """What the service counts; no label holds a name from a payload, callers can invent any."""

    def __init__(self, registry: prometheus_client.CollectorRegistry) -> None:
        self.tests = prometheus_client.Counter(
            "flagger_helmtester_tests",
            "Finished runs of helm test by result: passed or failed",
            ["result"],
            registry=registry,
        )
        self.joined = prometheus_client.Counter(
            "flagger_helmtester_joined",
            "Requests answered with the result of a test that was running already",
            registry=registry,
        )
        self.refused = prometheus_client.Counter(
            "flagger_helmtester_refused",
            "Requests that ran nothing, by reason: policy or overloaded",
            ["reason"],
            registry=registry,
        )
        self.running = prometheus_client.Gauge(
            "flagger_helmtester_running", "Tests running now", registry=registry
        )
        self.requests = prometheus_client.Gauge(
            "flagger_helmtester_requests",
            "Requests running a test, waiting for their turn or for a result now",
            registry=registry,
        )


class Desk:
    """Answers task requests."""

    def __init__(
        self, options: settings.Settings, program: helm.Program, counters: Counters
    ) -> None:
        self._policy = options.policy
        self._flights: flights.Flights[helm.Outcome] = flights.Flights(options.limits)
        self._helm = program
        self._counters = counters
        counters.running.set_function(lambda: self._flights.running)
        counters.requests.set_function(lambda: self._flights.callers)

    def task(self, sent: Payload) -> flask.Response:
        """Run the `helm test` of a hook, or refuse it, and answer when it has ended."""
        if not sent.metadata:
            return flaskkit.text(400, "metadata not found in payload")
        cmd = sent.metadata.get("cmd", "")
        try:
            _check_type(sent.metadata.get("type"), cmd)
            timeout = sent.metadata.get("timeout", "")
            test = helmtest.build(cmd, sent.namespace, timeout, self._policy)
        except helmtest.RefusedError as error:
            self._counters.refused.labels("policy").inc()
            logger.warning("refused: %s", error, extra={"canary": sent.canary})
            return flaskkit.text(400, str(error))
        return self._answer(sent, cmd, test)

    def _answer(self, sent: Payload, cmd: str, test: helmtest.TestCommand) -> flask.Response:
        question = (sent.canary, sent.checksum, test.arguments)
        try:
            outcome, joined = self._flights.run(
                (test.namespace, test.release), question, lambda: self._run(sent, test)
            )
        except flights.BusyError as error:
            self._counters.refused.labels("overloaded").inc()
            logger.warning("refused: %s", error, extra={"canary": sent.canary})
            response = flaskkit.text(429, str(error))
            response.headers["Retry-After"] = str(_RETRY_AFTER_SECONDS)
            return response
        if joined:
            self._counters.joined.inc()
        output = "".join(f"note: {note}\n" for note in test.notes) + outcome.output
        if outcome.reason:
            return flaskkit.text(500, f"command {cmd} failed: {output}: {outcome.reason}")
        wanted = helmtest.is_true(sent.metadata.get("returnCmdOutput", ""))
        return flaskkit.text(200, output if wanted else "")

    def _run(self, sent: Payload, test: helmtest.TestCommand) -> helm.Outcome:
        """Run Helm, once for everybody who asks meanwhile; log what it printed, always."""
        canary = {"canary": sent.canary}
        for note in test.notes:
            logger.info("%s", note, extra=canary)
        logger.info("running helm %s", " ".join(test.arguments), extra=canary)
        outcome = self._helm.run(test.arguments)
        result = "failed" if outcome.reason else "passed"
        self._counters.tests.labels(result).inc()
        level = logging.ERROR if outcome.reason else logging.INFO
        what = f"test of {test.release} in {test.namespace} {result} {outcome.reason}".strip()
        logger.log(level, "%s: %s", what, outcome.output, extra=canary)
        return outcome


def register(app: flask.Flask, options: settings.Settings, program: helm.Program) -> None:
    """Add the paths; each takes every HTTP method, as upstream's do."""
    desk = Desk(options, program, Counters(flaskkit.kit(app).registry))
    for path in _GATES:
        flaskkit.add_any(app, path, lambda: flaskkit.text(404, "Not Found"), path.strip("/"))
    task = flaskkit.with_payload(desk.task)
    flaskkit.add_any(app, "/", task, "task")
    flaskkit.add_any(app, "/<path:anything>", lambda anything: task(), "task-anywhere")


def _check_type(kind: str | None, cmd: str) -> None:
    """Let only Helm tasks through; a missing type is upstream's `cmd` (spec helmtester A.2)."""
    if kind not in _TYPES and not (kind is None and cmd.startswith("test ")):
        raise helmtest.RefusedError(f"unknown task type {'cmd' if kind is None else kind}")
