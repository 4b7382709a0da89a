"""Where controllers are measured: one control plane, a metrics endpoint, an observer."""

import contextlib
import dataclasses
import pathlib
import sys
import tempfile
from collections.abc import Iterator
from typing import Final

import requests
from bench.scale import observer, prometheus, rollouts
from bench.scale.hands import Hands, hands
from bench.scale.observer import Observer
from bench.scale.subjects import SUBJECTS, Subject
from services.controller.tests.api import kinds
from services.controller.tests.api.process import Controller, Program
from tools.cluster import ports, processes, settings
from tools.cluster.controlplane import MASTERS, ControlPlane, Options

HOUSEKEEPERS: Final = ("namespace", "garbage-collector")
CONTROLLERS: Final = (*HOUSEKEEPERS, "deployment", "replicaset", "node-lifecycle")
MEASURED: Final = tuple(subject.user for subject in SUBJECTS.values())
ROLLOUTS: Final = "rollouts"
"""User of the API server."""
FAKE_NODES: Final = 2
OPTIONS: Final = Options(
    users=dict.fromkeys((observer.USER, ROLLOUTS, *MEASURED), MASTERS),
    audited=MEASURED,
    environment={"GOGC": "400"},
)
"""A control plane that does what releases need: it shares the machine with what is measured."""
START_SECONDS: Final = 60.0
ANSWER_SECONDS: Final = 5.0


@dataclasses.dataclass(frozen=True)
class Stage:
    """What all measurements of a run share."""

    plane: ControlPlane
    hands: Hands
    observer: Observer
    metrics: str
    """Address of the metrics endpoint."""
    logs: pathlib.Path

    @classmethod
    @contextlib.contextmanager
    def opened(cls, *, pods: bool) -> Iterator["Stage"]:
        """Start everything, and end it again.

        Args:
            pods: there are some; else Deployments are rolled out by name only (`rollouts`).
        """
        with contextlib.ExitStack() as stack:
            logs = pathlib.Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-")))
            metrics = stack.enter_context(endpoint(logs))
            plane = stack.enter_context(ControlPlane.start(options(pods=pods)))
            with plane.client() as admin:
                kinds.install(admin)
            if not pods:
                stack.enter_context(rolled_out(plane, logs))
            team = stack.enter_context(hands(plane))
            token = plane.tokens[observer.USER]
            eye = stack.enter_context(Observer(plane.url, token, str(plane.ca_file)))
            yield cls(plane, team, eye, metrics, logs)

    def log(self, label: str) -> pathlib.Path:
        """Return where the controller of a measurement logs to."""
        return self.logs / f"{label}.log"

    def controller(self, subject: Subject, program: Program, label: str) -> Controller:
        """Return a controller, not yet started, for all namespaces."""
        kubeconfig = self.plane.kubeconfig_of(subject.user)
        flags = (f"-metrics-server={self.metrics}", *program.flags)
        return Controller(kubeconfig, self.log(label), *flags, program=program)


def options(*, pods: bool) -> Options:
    """Return what the control plane consists of."""
    controllers = CONTROLLERS if pods else HOUSEKEEPERS
    arguments = f"--controllers={','.join(f'{name}-controller' for name in controllers)}"
    return dataclasses.replace(
        OPTIONS, fake_nodes=FAKE_NODES if pods else 0, controller_arguments=(arguments,)
    )


@contextlib.contextmanager
def rolled_out(plane: ControlPlane, logs: pathlib.Path) -> Iterator[None]:
    """Roll Deployments out without pods."""
    kubeconfig = str(plane.kubeconfig_of(ROLLOUTS))
    argv = (sys.executable, "-m", rollouts.__name__, "--kubeconfig", kubeconfig)
    command = processes.Command(ROLLOUTS, argv, logs / "rollouts.log", settings.REPOSITORY)
    running = processes.start(command, die_with_parent=True)
    try:
        yield
    finally:
        processes.stop([running])


@contextlib.contextmanager
def endpoint(logs: pathlib.Path) -> Iterator[str]:
    """Run the metrics endpoint; yield its address.

    Raises:
        ClusterError: it did not start.
    """
    port = ports.free("127.0.0.1")
    url = f"http://127.0.0.1:{port}"
    argv = (sys.executable, "-m", prometheus.__name__, "--port", str(port))
    log = logs / "metrics.log"
    command = processes.Command("metrics endpoint", argv, log, settings.REPOSITORY)
    running = processes.start(command, die_with_parent=True)
    try:
        processes.wait_for("metrics endpoint", lambda: _answers(url), [running], START_SECONDS)
        yield url
    finally:
        processes.stop([running])


def _answers(url: str) -> bool:
    parameters = {"query": prometheus.PROBE}
    with contextlib.suppress(requests.ConnectionError):
        reply = requests.get(url + prometheus.PATH, params=parameters, timeout=ANSWER_SECONDS)
        return reply.ok
    return False
