"""What a task is: the contract between the views, the runner and the task files."""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Final, Protocol

from flagger_common.confinement import Confinement
from flagger_common.payload import CanaryWebhookPayload
from flagger_common.plan import Plan

from ..outcome import Outcome
from ..policy.guard import Guard
from ..policy.scope import RefusedError
from ..redact import conceal, redact

_TRUE: Final = frozenset({"1", "t", "T", "TRUE", "true", "True"})


class TaskError(ValueError):
    """The metadata do not describe a task; the message is the body of the reply."""


class Context(Protocol):
    """What a running task may use. Both end early when the time is over or the server stops."""

    def execute(self, plan: Plan, confinement: Confinement | None = None) -> Outcome:
        """Run a plan; without a confinement with the rights and variables of the server."""

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


def not_in_strict_mode(payload: CanaryWebhookPayload, guard: Guard) -> Work:
    """Refuse a type that strict mode has no rules for."""
    del guard
    raise RefusedError(f"task type {payload.metadata.get('type', '')} not allowed in strict mode")


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

    strict: Callable[[CanaryWebhookPayload, Guard], Work] = not_in_strict_mode
    """The same in strict mode; raises `RefusedError` and `grammar.GrammarError`, too."""


@dataclasses.dataclass(frozen=True)
class Command:
    """Work that is one local command line."""

    canary: str
    """``name.namespace``, part of the identity."""

    text: str
    """The command as the user wrote it."""

    plan: Plan
    """What is executed."""

    log_output: bool = True
    """See `Work`."""

    return_output: bool = False
    """See `Work`."""

    confinement: Confinement | None = None
    """See `Context.execute`."""

    notes: tuple[str, ...] = ()
    """What was changed about the command; told in front of the output."""

    @property
    def label(self) -> str:
        """The command text without its secrets."""
        return redact(self.text)

    @property
    def identity(self) -> tuple[str, ...]:
        """Canary and command text; neither phase nor checksum, as upstream."""
        return (self.canary, self.text)

    def run(self, context: Context) -> Outcome:
        """Execute the command."""
        outcome = context.execute(self.plan, self.confinement)
        notes = "".join(f"note: {note}\n" for note in self.notes)
        output = conceal(outcome.output, self.text)
        return dataclasses.replace(outcome, output=notes + output)

    def failure(self, outcome: Outcome) -> str:
        """Return upstream's text (loadtester.md section 3)."""
        return f"command {self.label} failed: {outcome.output}: {outcome.reason}"


def flag(metadata: Mapping[str, str], key: str) -> bool:
    """Read a boolean; absent or unreadable (``yes``) is false."""
    return metadata.get(key, "") in _TRUE


def blocking_command(payload: CanaryWebhookPayload, plan: Plan) -> Command:
    """Return a blocking task for a plan made from ``metadata.cmd``."""
    return Command(
        canary=payload.canary,
        text=payload.metadata.get("cmd", ""),
        plan=plan,
        return_output=flag(payload.metadata, "returnCmdOutput"),
    )


def background_command(payload: CanaryWebhookPayload, plan: Plan) -> Command:
    """Return the same for a task in the background: only a failure's output is always logged."""
    return Command(
        canary=payload.canary,
        text=payload.metadata.get("cmd", ""),
        plan=plan,
        log_output=flag(payload.metadata, "logCmdOutput"),
    )


def confined(command: Command, payload: CanaryWebhookPayload, guard: Guard, shell: str) -> Command:
    """Return a command as strict mode runs it: without the shell, unless that is allowed.

    Raises:
        RefusedError: the policy forbids it.
        grammar.GrammarError: it needs the shell.
    """
    scope = guard.scope(payload.namespace)
    pipefail = flag(payload.metadata, "pipefail")
    if scope.shell:
        plan = Plan.of((guard.program(shell), "-c", command.text))
    else:
        plan = guard.plan(command.text, scope, pipefail=pipefail)
    return dataclasses.replace(command, plan=plan, confinement=guard.confinement)
