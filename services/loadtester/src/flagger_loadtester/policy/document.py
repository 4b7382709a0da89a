"""The policy file: what the operator allows beyond the defaults, by namespace."""

import re
from collections.abc import Mapping
from typing import Annotated, Any, Final

import pydantic
import yaml

from flagger_common import durations

ANY: Final = "*"
"""The entry of all namespaces that have none of their own."""
_HOST: Final = re.compile(r"(\*\.)?[a-z0-9_]([a-z0-9_.-]*[a-z0-9_])?|\[?[0-9a-f:.]+\]?")


class PolicyError(ValueError):
    """The policy cannot be used; the message says where and why."""


def _seconds(value: object) -> float:
    if not isinstance(value, str):
        raise ValueError('write a duration as text, as in "1m30s"')
    return durations.parse(value)


def _pattern(value: object) -> re.Pattern[str]:
    if not isinstance(value, str):
        raise ValueError("write an expression as text")
    try:
        return re.compile(value)
    except re.error as error:
        raise ValueError(f"{value!r} is no regular expression: {error}") from error


def _host(value: str) -> str:
    if not _HOST.fullmatch(value.lower()):
        raise ValueError(f"{value!r} is no host: write app.example.com, *.example.com or 10.0.0.1")
    return value.lower().strip("[]")


Pattern = Annotated[re.Pattern[str], pydantic.BeforeValidator(_pattern)]
Seconds = Annotated[float, pydantic.BeforeValidator(_seconds), pydantic.Field(gt=0)]
Host = Annotated[str, pydantic.AfterValidator(_host)]


class _Model(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=True)


class Maximum(_Model):
    """Limits of one load test, instead of those of the flags."""

    duration: Seconds | None = None
    """Longest duration, a Go duration in the file and seconds here."""

    concurrency: int | None = pydantic.Field(default=None, ge=1)
    """Most workers, connections or users."""

    requests: int | None = pydantic.Field(default=None, ge=0)
    """Most requests; 0 is without limit."""


class Kubectl(_Model):
    """What `kubectl` may do; it needs both."""

    verbs: tuple[str, ...] = ()
    """Of those in `kubectl.VERBS`, say ``get`` or ``rollout status``."""

    resources: tuple[str, ...] = ()
    """As they are written in commands, say ``pods`` or ``deployments.apps``."""


class Namespace(_Model):
    """What the payloads of one namespace may ask for."""

    hosts: tuple[Host, ...] = ()
    """Targets besides the namespace's own services: names, ``*.example.com``, addresses."""

    commands: tuple[str, ...] | None = None
    """Those of ``-allowed-commands`` that may be used here; all when absent."""

    arguments: Mapping[str, tuple[Pattern, ...]] = {}
    """By command: each argument has to match one of these expressions from end to end.

    A command that has a table has to pass that too; one without needs an entry here.
    """

    shell: bool = False
    """Whether ``-allow-shell`` holds for this namespace."""

    kubectl: Kubectl = Kubectl()
    """See `Kubectl`."""

    maximum: Maximum = Maximum()
    """See `Maximum`."""


class Document(_Model):
    """The whole file."""

    namespaces: Mapping[str, Namespace] = {}
    """By name; ``*`` is for all that are not named."""

    def entry(self, namespace: str) -> Namespace:
        """Return the entry of a namespace: its own, else that of ``*``, else an empty one."""
        return self.namespaces.get(namespace) or self.namespaces.get(ANY) or Namespace()


def parse(text: str) -> Document:
    """Read a policy.

    Raises:
        PolicyError: it is not YAML or not a policy; all faults are named.
    """
    try:
        loaded: Any = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise PolicyError(f"no YAML: {error}") from error
    try:
        return Document.model_validate({} if loaded is None else loaded)
    except pydantic.ValidationError as error:
        faults = [f"{'.'.join(map(str, each['loc']))}: {each['msg']}" for each in error.errors()]
        raise PolicyError("; ".join(faults)) from error
