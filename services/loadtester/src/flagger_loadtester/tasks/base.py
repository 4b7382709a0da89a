"""What a task is: the contract between the views, the runner and the task files."""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Final, Protocol

from flagger_common.payload import CanaryWebhookPayload

from ..process import Outcome

_TRUE: Final = frozenset({"1", "t", "T", "TRUE", "true", "True"})


class TaskError(ValueError):
    """The metadata do not describe a task; the message is the body of the reply."""


class Context(Protocol):
    """What a running task may use. Both end early when the time is over or the server stops."""

    def execute(self, argv: Sequence[str]) -> Outcome:
        """Run a command."""

    def pause(self, seconds: float) -> bool:
        """Wait; False when the task has to end instead."""


class Work(Protocol):
    """One task that was asked for, ready to run."""

    @property
    def canary(self) -> str:
        """The ``name.namespace`` that the log names."""

    @property
    def label(self) -> str:
        """What the log calls it: the command text."""

    @property
    def identity(self) -> tuple[str, ...]:
        """What makes it the same as a running one (loadtester.md section 3.3)."""

    @property
    def log_output(self) -> bool:
        """Whether the output of a success is logged."""

    @property
    def return_output(self) -> bool:
        """Whether the output of a success is the body of the reply."""

    def run(self, context: Context) -> Outcome:
        """Do it; called in a thread of its own or of the request."""

    def failure(self, outcome: Outcome) -> str:
        """Return the body of the reply after a failure."""


@dataclasses.dataclass(frozen=True)
class TaskType:
    """One value of ``metadata.type``."""

    name: str
    """Label of the metrics; two names of one type share it."""

    blocking: bool
    """Whether the request waits for the end; else it is answered with 202."""

    prepare: Callable[[CanaryWebhookPayload], Work]
    """Reads the metadata; raises `TaskError`."""

    refusal: int = 400
    """Status of the reply to a `TaskError`."""


@dataclasses.dataclass(frozen=True)
class Command:
    """Work that is one local command."""

    canary: str
    """``name.namespace``, part of the identity."""

    label: str
    """The command text as the user wrote it."""

    argv: tuple[str, ...]
    """What is executed."""

    log_output: bool = True
    """See `Work`."""

    return_output: bool = False
    """See `Work`."""

    @property
    def identity(self) -> tuple[str, ...]:
        """Canary and command text; neither phase nor checksum, as upstream."""
        return (self.canary, self.label)

    def run(self, context: Context) -> Outcome:
        """Execute the command."""
        return context.execute(self.argv)

    def failure(self, outcome: Outcome) -> str:
        """Return upstream's text (loadtester.md section 3)."""
        return f"command {self.label} failed: {outcome.output}: {outcome.reason}"


def flag(metadata: Mapping[str, str], key: str) -> bool:
    """Read a boolean; absent or unreadable (``yes``) is false."""
    return metadata.get(key, "") in _TRUE


def blocking_command(payload: CanaryWebhookPayload, argv: Sequence[str]) -> Command:
    """Return a blocking task for a command line made from ``metadata.cmd``."""
    return Command(
        canary=payload.canary,
        label=payload.metadata.get("cmd", ""),
        argv=tuple(argv),
        return_output=flag(payload.metadata, "returnCmdOutput"),
    )
