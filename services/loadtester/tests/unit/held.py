"""Tasks that run until a test lets them go."""

import dataclasses
import threading

from flagger_common.payload import CanaryWebhookPayload
from flagger_loadtester.orders import Order
from flagger_loadtester.outcome import Outcome
from flagger_loadtester.runner import Runner
from flagger_loadtester.tasks.base import Context, TaskError, TaskType


@dataclasses.dataclass(eq=False)
class Held:
    """A task that runs until it is released or has to end."""

    label: str = "held"
    canary: str = "podinfo.test"
    log_output: bool = False
    return_output: bool = False
    crash: bool = False
    crash_at_end: bool = False
    output: str = ""
    begun: threading.Event = dataclasses.field(default_factory=threading.Event)
    release: threading.Event = dataclasses.field(default_factory=threading.Event)
    ended: threading.Event = dataclasses.field(default_factory=threading.Event)
    interrupted: bool = False

    @property
    def identity(self) -> tuple[str, ...]:
        return (self.canary, self.label)

    def run(self, context: Context) -> Outcome:
        self.begun.set()
        if self.crash:
            raise RuntimeError("broken task")
        while not self.release.is_set():
            if not context.pause(0.01):
                self.interrupted = True
                break
        self.ended.set()
        if self.crash_at_end:
            raise RuntimeError("broken task")
        return Outcome(self.output, "signal: killed" if self.interrupted else "")

    def failure(self, outcome: Outcome) -> str:
        return outcome.reason


def unused(_payload: object) -> Held:
    raise TaskError("not used")


BLOCKING = TaskType("bash", blocking=True, prepare=unused)
BACKGROUND = TaskType("cmd", blocking=False, prepare=unused)


def value(runner: Runner, name: str, **labels: str) -> float:
    samples = (s for c in runner.metrics.collectors() for m in c.collect() for s in m.samples)
    return sum(s.value for s in samples if s.name == name and s.labels == labels)


def payload(
    phase: str = "Progressing", checksum: str = "one", namespace: str = "test", **metadata: str
) -> CanaryWebhookPayload:
    return CanaryWebhookPayload(
        name="podinfo", namespace=namespace, phase=phase, checksum=checksum, metadata=metadata
    )


def background(work: Held, sent: CanaryWebhookPayload | None = None) -> Order:
    return Order(BACKGROUND, work, sent or payload())
