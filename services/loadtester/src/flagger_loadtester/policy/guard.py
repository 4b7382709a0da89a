"""The gate every command of strict mode passes: text in, a plan of absolute programs out."""

import dataclasses
import logging
import math
import os
import pathlib
import shutil
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final

from flagger_common.confinement import Confinement
from flagger_common.plan import Argv, Plan

from .. import grammar
from ..confinement import confine
from . import options
from .commands import COMMANDS
from .document import Document
from .file import PolicyFile
from .scope import RefusedError, Scope

logger = logging.getLogger(__name__)

_MOST_COMMANDS: Final = 16
"""Programs of one plan; each of a pipeline is a process."""


@dataclasses.dataclass(frozen=True)
class Guard:
    """Turns texts into plans, or refuses them."""

    defaults: Scope
    """What the flags allow."""

    programs: Mapping[str, str]
    """Absolute paths by name; a program that is not installed is missing."""

    document: Callable[[], Document] | None
    """The policy file in force; None without one."""

    confinement: Confinement
    """Of all commands."""

    cluster: Confinement
    """Of those that talk to the API server."""

    def scope(self, namespace: str) -> Scope:
        """Return the rules for the payloads of a namespace."""
        defaults = dataclasses.replace(self.defaults, namespace=namespace)
        if self.document is None:
            return defaults
        entry = self.document().entry(namespace)
        most = entry.maximum
        listed = defaults.commands if entry.commands is None else frozenset(entry.commands)
        return dataclasses.replace(
            defaults,
            hosts=entry.hosts,
            duration=defaults.duration if most.duration is None else most.duration,
            concurrency=defaults.concurrency if most.concurrency is None else most.concurrency,
            requests=defaults.requests if most.requests is None else most.requests,
            commands=defaults.commands & listed,
            arguments=entry.arguments,
            shell=defaults.shell and entry.shell,
            verbs=frozenset(entry.kubectl.verbs),
            resources=frozenset(entry.kubectl.resources),
        )

    def plan(self, text: str, scope: Scope, *, pipefail: bool = False) -> Plan:
        """Read a command line and judge every program of it.

        Raises:
            grammar.GrammarError: it needs a shell.
            RefusedError: it is not allowed.
        """
        read = grammar.parse(text, pipefail=pipefail)
        if sum(len(pipeline) for _, pipeline in read.steps) > _MOST_COMMANDS:
            raise RefusedError(f"command not allowed: more than {_MOST_COMMANDS} programs")
        steps = tuple(
            (connector, self._pipeline(pipeline, scope)) for connector, pipeline in read.steps
        )
        return dataclasses.replace(read, steps=steps)

    def program(self, name: str) -> str:
        """Return the absolute path of a program.

        Raises:
            RefusedError: it is not installed.
        """
        if name not in self.programs:
            raise RefusedError(f"command not allowed: {name} is not installed")
        return self.programs[name]

    def _pipeline(self, pipeline: Sequence[Argv], scope: Scope) -> tuple[Argv, ...]:
        judged = tuple(self._command(argv, scope) for argv in pipeline)
        if sum(argv[0] in COMMANDS and COMMANDS[argv[0]].loads for argv in pipeline) > 1:
            raise RefusedError("command not allowed: two load tests in one pipeline")
        return judged

    def _command(self, argv: Argv, scope: Scope) -> Argv:
        name, arguments = argv[0], argv[1:]
        if name not in scope.commands:
            allowed = ", ".join(sorted(scope.commands)) or "none"
            raise RefusedError(f"command not allowed: {name}, allowed are: {allowed}")
        patterns, table = scope.arguments.get(name), COMMANDS.get(name)
        if patterns is None and table is None:
            raise RefusedError(f"command not allowed: the policy file lists no arguments of {name}")
        for argument in arguments if patterns is not None else ():
            if not any(pattern.fullmatch(argument) for pattern in patterns or ()):
                raise RefusedError(f"argument not allowed: {argument} by the policy file")
        if table is None:
            return (self.program(name), *arguments)
        options.check(table, arguments, scope)
        return (self.program(name), *table.forced, *arguments)


def build(defaults: Scope, timeout: float, policy_file: str) -> Guard:
    """Look at what is installed and read the policy file, if there is one.

    Args:
        defaults: what the flags allow.
        timeout: seconds that a task may take.
        policy_file: its path, or empty.

    Raises:
        document.PolicyError: the policy cannot be used.
        confinement.ConfinementError: programs are missing that set limits.
    """
    seconds = math.ceil(timeout * (os.cpu_count() or 1))
    policy = PolicyFile(pathlib.Path(policy_file)) if policy_file else None
    return Guard(
        defaults=defaults,
        programs=_installed((*sorted(defaults.commands), "sh", "bash", "helm", "kubectl")),
        document=policy.current if policy else None,
        confinement=confine(seconds),
        cluster=confine(seconds, cluster=True),
    )


def _installed(names: Iterable[str]) -> dict[str, str]:
    found = {name: os.path.abspath(path) for name in names if (path := shutil.which(name))}
    if missing := ", ".join(name for name in names if name not in found):
        logger.warning("not installed, so refused: %s", missing)
    return found
