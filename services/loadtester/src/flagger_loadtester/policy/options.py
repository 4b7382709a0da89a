"""Telling the options of a command line apart as its program will, and judging each of them.

An option that is not in the table is refused, so a table is the whole of what a program may be
asked to do.
"""

import dataclasses
from collections.abc import Iterator, Mapping, Sequence

from .kinds import Kind
from .scope import RefusedError, Scope

SWITCH: tuple[Kind, ...] = ()
"""The values of an option that has none."""


@dataclasses.dataclass(frozen=True)
class Table:
    """What may stand on the command line of one program."""

    options: Mapping[str, tuple[Kind, ...]]
    """By option, ``-x`` or ``--long``, the kinds of its values."""

    positionals: tuple[Kind, ...] = ()
    """Kinds of the first arguments that are no options."""

    rest: Kind | None = None
    """Kind of all further ones; None when there may be none."""

    go: bool = False
    """Whether the program reads flags as Go's flag package does: ``-name`` and ``--name`` are the
    same, ``=`` may follow, and the first other argument ends them. Else short ones are combined
    (``-sf``, ``-n5``), and options may stand anywhere."""

    loads: bool = False
    """Whether it is a load test; a pipeline has one of these at most."""

    forced: tuple[str, ...] = ()
    """Switches that are always on, and stand in front of all that the caller writes."""

    defaults: tuple[tuple[frozenset[str], Kind, str], ...] = ()
    """Names of an option, its kind, and the value that the program takes when it is not given."""


def check(table: Table, arguments: Sequence[str], scope: Scope) -> None:
    """Judge the arguments of one program.

    Raises:
        RefusedError: one of them is not allowed.
    """
    seen = _check_options(table, arguments, scope)
    for names, kind, value in table.defaults:
        if not names & seen:
            kind(value, scope)


def _check_options(table: Table, arguments: Sequence[str], scope: Scope) -> set[str]:
    """Judge all arguments; returns the options that are given."""
    seen: set[str] = set()
    position = 0
    rest = iter(arguments)
    for argument in rest:
        if argument == "--":
            _check_words(table, list(rest), position, scope)
        elif not argument.startswith("-") or argument == "-":
            if table.go:
                _check_words(table, [argument, *rest], position, scope)
                break
            _check_words(table, [argument], position, scope)
            position += 1
        else:
            for option, values in _split(table, argument, rest):
                seen.add(option)
                for kind, value in zip(table.options[option], values, strict=True):
                    kind(value, scope)
    return seen


def _check_words(table: Table, words: Sequence[str], position: int, scope: Scope) -> None:
    for number, word in enumerate(words, position):
        kind = table.positionals[number] if number < len(table.positionals) else table.rest
        if kind is None:
            raise RefusedError(f"argument not allowed: {word}, options go in front of the target")
        kind(word, scope)


def _split(
    table: Table, argument: str, rest: Iterator[str]
) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Yield the options that one argument holds, each with its values."""
    if table.go or argument.startswith("--"):
        name, equals, value = argument.partition("=")
        if table.go:
            name = "-" + name.lstrip("-")
        yield _known(table, name), _values(table, name, value if equals else None, rest)
        return
    letters = argument[1:]
    while letters:
        name, letters = "-" + letters[0], letters[1:]
        if table.options[_known(table, name)]:
            yield name, _values(table, name, letters or None, rest)
            return
        yield name, ()


def _known(table: Table, name: str) -> str:
    if name not in table.options:
        raise RefusedError(f"option not allowed: {name}")
    return name


def _values(table: Table, name: str, attached: str | None, rest: Iterator[str]) -> tuple[str, ...]:
    """Return the values of an option: attached to it, or the next arguments."""
    wanted = table.options[name]
    if not wanted:
        if attached not in (None, "true", "false"):
            raise RefusedError(f"option not allowed: {name} with a value")
        if attached == "false" and name in table.forced:
            raise RefusedError(f"option not allowed: {name}=false, it is always on")
        return ()
    values = [attached] if attached is not None else []
    for _ in wanted[len(values) :]:
        value = next(rest, None)
        if value is None:
            raise RefusedError(f"option not allowed: {name} without a value")
        if value.startswith("-"):  # programs differ in whether this is a value or an option
            raise RefusedError(f"option not allowed: {name} with a value that starts with '-'")
        values.append(value)
    return tuple(values)
