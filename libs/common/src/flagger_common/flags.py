"""Command-line flags of the companions, in the notation of upstream's Go programs.

``-port 8080``, ``-port=8080`` and ``--port=8080`` are the same, booleans take a value only behind
``=`` (loadtester.md section 1). Every flag is also an environment variable, ``{SERVICE}_{FLAG}``;
that is how the settings travel from the command line into the server process.
"""

import dataclasses
import re
import urllib.parse
from collections.abc import Callable, Mapping
from typing import Any, Final, TypeVar

import click

from . import authz, durations

_TRUE: Final = frozenset({"1", "t", "T", "TRUE", "true", "True"})
_FALSE: Final = frozenset({"0", "f", "F", "FALSE", "false", "False"})
_SERVICE_ADDRESS: Final = re.compile(r"(tcp|udp|sctp)://")
_CommandT = TypeVar("_CommandT", bound=Callable[..., Any])

CONTEXT: Final[Mapping[str, Any]] = {"help_option_names": ["-h", "-help", "--help"]}
"""For ``click.command(context_settings=dict(CONTEXT))``."""


class Boolean(click.ParamType[bool]):
    """The words Go's flag package takes for booleans."""

    name = "boolean"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> bool:
        """Return the truth of a word."""
        if isinstance(value, bool):
            return value
        if value not in _TRUE | _FALSE:
            self.fail(f"{value!r} is not a boolean, use true or false", param, ctx)
        return value in _TRUE


class Duration(click.ParamType[float]):
    """A Go duration such as ``1m30s``; the value is seconds."""

    name = "duration"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """Return the seconds of a duration."""
        if isinstance(value, int | float):
            return float(value)
        try:
            return durations.parse(value)
        except ValueError as error:
            self.fail(str(error), param, ctx)


class Url(click.ParamType[str]):
    """An address of HTTP or HTTPS, or nothing."""

    name = "url"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return the address if it is one."""
        parts = urllib.parse.urlsplit(str(value))
        if value and (parts.scheme not in ("http", "https") or not parts.netloc):
            self.fail(f"{value!r} is no http:// or https:// address", param, ctx)
        return str(value)


class NamespaceExpression(click.ParamType[str]):
    """An expression that `authz.NamespaceRule` accepts, kept as text."""

    name = "regexp"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return the expression if it can be used."""
        try:
            authz.NamespaceRule.parse(str(value))
        except authz.RuleError as error:
            self.fail(str(error), param, ctx)
        return str(value)


class _Option(click.Option):
    """An option that overlooks the variables Kubernetes makes of Services.

    A Service called ``loadtester`` puts ``LOADTESTER_PORT=tcp://10.0.0.1:80`` into every pod of its
    namespace, which is neither a port nor meant for us.
    """

    def resolve_envvar_value(self, ctx: click.Context) -> str | None:
        """Return the variable's value unless it is the address of a Service."""
        value = super().resolve_envvar_value(ctx)
        return None if value and _SERVICE_ADDRESS.match(value) else value


def option(
    service: str, name: str, default: Any, kind: Any, text: str
) -> Callable[[_CommandT], _CommandT]:
    """Declare a flag in all its spellings.

    Args:
        service: prefix of the environment variable, say ``LOADTESTER``.
        name: the flag without dashes, say ``log-level``.
        default: used when neither flag nor variable is given; not empty variables count as given.
        kind: a click type or one of this module.
        text: one line of help.
    """
    more: dict[str, Any] = {"flag_value": "true", "is_flag": False} if kind is bool else {}
    return click.option(
        f"-{name}",
        f"--{name}",
        cls=_Option,
        default=default,
        type=Boolean() if kind is bool else kind,
        envvar=variable(service, name),
        show_default=True,
        help=text,
        **more,
    )


def variable(service: str, name: str) -> str:
    """Return the environment variable of a flag."""
    return f"{service}_{name.upper().replace('-', '_')}"


def environ(service: str, settings: object) -> dict[str, str]:
    """Render a settings dataclass as the variables its flags read; floats are seconds.

    Raises:
        TypeError: when ``settings`` is not a dataclass instance.
    """
    if not dataclasses.is_dataclass(settings) or isinstance(settings, type):
        raise TypeError("settings must be a dataclass instance")
    values = {field.name: getattr(settings, field.name) for field in dataclasses.fields(settings)}
    return {variable(service, name): _render(value) for name, value in values.items()}


def _render(value: object) -> str:
    match value:
        case bool():
            return str(value).lower()
        case float():
            return durations.render(value)
        case _:
            return str(value)
