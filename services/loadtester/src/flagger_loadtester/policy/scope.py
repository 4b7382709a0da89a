"""What the payloads of one namespace may ask for; the questions the argument kinds put to it."""

import dataclasses
import pathlib
import re
from collections.abc import Mapping
from typing import Final

_LABEL: Final = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
_SERVICE: Final = re.compile(r"[a-z]([-a-z0-9]{0,61}[a-z0-9])?")
"""A service starts with a letter, so no form of an IP address is one."""
_LOOPBACK: Final = frozenset({"localhost", "ip6-localhost", "ip6-loopback"})
_SUFFIXES: Final = ("", ".svc", ".svc.cluster.local")


class RefusedError(Exception):
    """The policy forbids it; the message is the body of the reply."""


@dataclasses.dataclass(frozen=True)
class Scope:
    """The rules for one namespace, from flags and policy file."""

    namespace: str
    """Of the payload, so what the caller claims."""

    hosts: tuple[str, ...] = ()
    """Targets besides the namespace's services."""

    own_namespace: str = ""
    """Where the server lives: there only do names without a dot mean that namespace's services."""

    files: tuple[pathlib.Path, ...] = ()
    """Files, and directories of files, that the operator has put there."""

    duration: float = 3600.0
    """Longest load test in seconds."""

    concurrency: int = 200
    """Most workers of a load test."""

    requests: int = 0
    """Most requests of a load test; 0 is without limit."""

    commands: frozenset[str] = frozenset()
    """Programs that may be used."""

    arguments: Mapping[str, tuple[re.Pattern[str], ...]] = dataclasses.field(default_factory=dict)
    """By program, what each argument has to match."""

    shell: bool = False
    """Whether a shell may be used."""

    verbs: frozenset[str] = frozenset()
    """What `kubectl` may do."""

    resources: frozenset[str] = frozenset()
    """What `kubectl` may do it to."""

    def check_host(self, host: str) -> None:
        """Refuse a target that is neither a service of the namespace nor listed.

        Raises:
            RefusedError: it is not allowed.
        """
        if not (self.is_service(host) or self.is_listed(host)):
            raise RefusedError(f"host not allowed: {host} is no service of {self.namespace!r}")

    def check_listed(self, host: str) -> None:
        """Refuse a host that the policy file does not name.

        Raises:
            RefusedError: it is not allowed.
        """
        if not self.is_listed(host):
            raise RefusedError(f"host not allowed: {host} is not in the policy file")

    def check_file(self, text: str) -> None:
        """Refuse a file that is not below the operator's directories, symbolic links resolved.

        Raises:
            RefusedError: it is not allowed.
        """
        path = pathlib.Path(text)
        if not path.is_absolute() or "\0" in text:
            raise RefusedError(f"file not allowed: {text} is no absolute path")
        if not self._is_below(path):  # the same words when it is elsewhere and when it is not
            allowed = ", ".join(map(str, self.files)) or "none"
            raise RefusedError(f"file not allowed: {text} is no file below one of: {allowed}")

    def is_name(self) -> bool:
        """Say whether a namespace can have this name."""
        return bool(_LABEL.fullmatch(self.namespace))

    def is_service(self, host: str) -> bool:
        """Say whether a host is a service of the namespace."""
        name = host.lower().removesuffix(".")
        if "." not in name:
            here = self.own_namespace in ("", self.namespace)
            return here and name not in _LOOPBACK and bool(_SERVICE.fullmatch(name))
        service, _, rest = name.partition(".")
        return (
            bool(_SERVICE.fullmatch(service))
            and self.is_name()
            and rest in [self.namespace + suffix for suffix in _SUFFIXES]
        )

    def is_listed(self, host: str) -> bool:
        """Say whether the policy file names a host; addresses match exactly."""
        name = host.lower().strip("[]").removesuffix(".")
        wild = any(each.startswith("*.") and name.endswith(each[1:]) for each in self.hosts)
        return name in self.hosts or (wild and not name.startswith("."))

    def _is_below(self, path: pathlib.Path) -> bool:
        try:
            real = path.resolve(strict=True)
        except (OSError, RuntimeError):  # not there, a name too long, a loop of links
            return False
        return any(real.is_relative_to(root.resolve()) for root in self.files)
