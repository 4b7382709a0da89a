"""Which `helm test` a hook asks for: pure, from the text in the hook's metadata to arguments.

The text is written by whoever may edit a Canary, the process has rights on releases: so only what
is listed here passes, and nothing is ever given to a shell (spec helmtester B.1, B.2).
"""

import dataclasses
import re
import shlex
from collections.abc import Sequence
from typing import Final

from . import durations

HELM_TIMEOUT_SECONDS: Final = 300.0
"""What Helm waits when it is not told otherwise."""

_RELEASE: Final = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
_RELEASE_LENGTH: Final = 53
_NAMESPACE: Final = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")

_PROGRAMS: Final = ("helm", "helmv3")
_VALUES: Final = ("--namespace", "--timeout", "--filter")
_SWITCHES: Final = ("--logs", "--hide-notes")
_DROPPED_VALUES: Final = (
    "--max",
    "--tls-ca-cert",
    "--tls-cert",
    "--tls-hostname",
    "--tls-key",
    "--tiller-connection-timeout",
    "--tiller-namespace",
)
_DROPPED_SWITCHES: Final = ("--cleanup", "--parallel", "--tls", "--tls-verify")
_TRUE: Final = ("1", "t", "T", "true", "TRUE", "True")
_FALSE: Final = ("0", "f", "F", "false", "FALSE", "False")


class RefusedError(Exception):
    """The command is not one of those that may run; the message is the answer to the caller."""


@dataclasses.dataclass(frozen=True, slots=True)
class Policy:
    """What the operator of the service allows."""

    limit: float
    """Longest `--timeout`, seconds; a longer one is cut down to it."""
    allow_debug: bool = False
    """Whether `--debug` may be used; its output can show values of the release."""
    namespaces: frozenset[str] = frozenset()
    """Namespaces whose releases every hook may name, beside those of its own canary."""
    default_namespace: str = ""
    """Where a release is when the command does not say; empty: in the canary's namespace."""


@dataclasses.dataclass(frozen=True, slots=True)
class TestCommand:
    """One `helm test` that may run."""

    __test__ = False  # for pytest: no test class

    release: str
    """Name of the release."""
    namespace: str
    """Namespace of the release."""
    arguments: tuple[str, ...]
    """Arguments for the helm program, from the word `test` on."""
    notes: tuple[str, ...] = ()
    """What was changed about the command, for the log and the output."""


def build(cmd: str, namespace: str, timeout: str, policy: Policy) -> TestCommand:
    """Turn the `cmd` of a hook into the command to run.

    Args:
        cmd: the text as received, e.g. `test podinfo -n test`.
        namespace: namespace of the canary; the release has to be in it, or where the policy says.
        timeout: duration from the hook's metadata, empty if there is none.
        policy: what the operator allows.

    Raises:
        RefusedError: the command, one of its options or its release is not allowed.
    """
    words, options, notes = _sort(_split(cmd), policy)
    release = _release(words, notes)
    where = _namespace(options, namespace, policy)
    arguments = ["test", release, "--namespace", where]
    arguments += ["--timeout", _timeout(options, timeout, policy, notes)]
    for name, value in options:
        if name == "--filter":
            arguments += [name, value]
        elif name not in _VALUES:
            arguments.append(f"{name}={value}")
    return TestCommand(release, where, tuple(arguments), tuple(notes))


def is_true(text: str) -> bool:
    """Read a metadata switch as upstream does: anything unclear is false (spec loadtester 3.1)."""
    return text in _TRUE


def is_false(text: str) -> bool:
    """Say whether a metadata switch is off in so many words; for those that are on by default."""
    return text in _FALSE


def check_namespace(namespace: str) -> str:
    """Return a namespace that may become part of a command or a path.

    Raises:
        RefusedError: no namespace can have this name.
    """
    if not _NAMESPACE.fullmatch(namespace):
        raise RefusedError(f"namespace not allowed: {namespace}")
    return namespace


def _split(cmd: str) -> list[str]:
    """Split like a shell would, without any of its other powers."""
    try:
        tokens = shlex.split(cmd)
    except ValueError as error:
        raise RefusedError(f"command not allowed: {error}") from error
    return tokens[1:] if tokens[:1] and tokens[0] in _PROGRAMS else tokens


def _sort(
    tokens: Sequence[str], policy: Policy
) -> tuple[list[str], list[tuple[str, str]], list[str]]:
    """Tell words, options (in order, `--name` and value) and dropped options (as notes) apart."""
    switches = (*_SWITCHES, "--debug") if policy.allow_debug else _SWITCHES
    words: list[str] = []
    options: list[tuple[str, str]] = []
    notes: list[str] = []
    rest = iter(tokens)
    for token in rest:
        if not token.startswith("-"):
            words.append(token)
            continue
        name, equals, value = _long(token).partition("=")
        if name in _VALUES or name in _DROPPED_VALUES:
            value = value if equals else _value_after(name, next(rest, None))
        elif name in switches or name in _DROPPED_SWITCHES:
            value = _switch(name, value if equals else "true")
        else:
            raise RefusedError(f"option not allowed: {name}")
        if name in _VALUES or name in switches:
            options.append((name, value))
        else:
            notes.append(f"{name} has no meaning in Helm 3 and was dropped")
    return words, options, notes


def _long(token: str) -> str:
    """Spell `-n x`, `-nx` and `-n=x` as `--namespace`, as Helm reads them."""
    if not token.startswith("-n"):
        return token
    value = token.removeprefix("-n")
    if not value:
        return "--namespace"
    return f"--namespace={value.removeprefix('=')}"


def _value_after(name: str, value: str | None) -> str:
    if value is None:
        raise RefusedError(f"option not allowed: {name} without a value")
    return value


def _switch(name: str, value: str) -> str:
    if value not in _TRUE + _FALSE:
        raise RefusedError(f"option not allowed: {name}={value}")
    return "true" if value in _TRUE else "false"


def _release(words: list[str], notes: list[str]) -> str:
    """Return the release of `test RELEASE`, also when written as the old `test run RELEASE`."""
    verb, *names = words or [""]
    if verb != "test":
        raise RefusedError(f"command not allowed: {verb}")
    if len(names) == 2 and names[0] == "run":
        notes.append(f"test run {names[1]} was read as test {names[1]}")
        names = names[1:]
    if len(names) != 1:
        raise RefusedError(f"command not allowed: test needs one release, got {len(names)}")
    if len(names[0]) > _RELEASE_LENGTH or not _RELEASE.fullmatch(names[0]):
        raise RefusedError(f"release not allowed: {names[0]}")
    return names[0]


def _namespace(options: list[tuple[str, str]], canary: str, policy: Policy) -> str:
    """Return the release's namespace: the one named, which has to be allowed, or the default."""
    default = policy.default_namespace or canary
    allowed = {canary, default, *policy.namespaces}
    named = [value for name, value in options if name == "--namespace"] or [default]
    for value in named:
        if value not in allowed:
            raise RefusedError(f"namespace not allowed: {value} is not the canary's {canary}")
    return check_namespace(named[-1])


def _timeout(
    options: list[tuple[str, str]], metadata: str, policy: Policy, notes: list[str]
) -> str:
    """Return the value for `--timeout`, never above the limit (spec helmtester B.1)."""
    named = [value for name, value in options if name == "--timeout"]
    if not named:
        candidates = [policy.limit, HELM_TIMEOUT_SECONDS]
        return durations.render(min([*candidates, _seconds(metadata)] if metadata else candidates))
    seconds = _seconds(named[-1])
    if seconds > policy.limit:
        notes.append(f"--timeout {named[-1]} was cut to {durations.render(policy.limit)}")
    return durations.render(min(seconds, policy.limit))


def _seconds(text: str) -> float:
    try:
        seconds = durations.parse(text)
    except ValueError as error:
        raise RefusedError(f"timeout not allowed: {error}") from error
    if seconds <= 0:
        raise RefusedError(f"timeout not allowed: {text} is not positive")
    return seconds
