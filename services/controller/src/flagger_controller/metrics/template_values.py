"""Query templates, part four: how values print, compare and format, as in Go (metrics.md 7.3)."""

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from flagger_controller.rollout.thresholds import shortest

Value = Any
"""text, int, float, bool, None (nil) or a mapping of these."""

_WIDEST: Final = 1000
_VERB: Final = re.compile(
    r"%(?P<flags>[-+# 0]*)(?P<width>\d*)(?:\.(?P<precision>\d*))?(?P<verb>.)?"
)
_TYPES: Final = {str: "string", bool: "bool", int: "int", float: "float64"}


class ValueFault(Exception):
    """A function cannot do what it is asked; becomes a TemplateError where the line is known."""


def type_name(value: Value) -> str:
    """The name of the value's type in messages, as Go says it."""
    if isinstance(value, Mapping):
        return "map[string]string"
    return _TYPES.get(type(value), "nil")


def show(value: Value) -> str:
    """The text of a value: what an action writes."""
    match value:
        case None:
            return "<no value>"
        case bool():
            return "true" if value else "false"
        case float():
            return shortest(value)
        case Mapping():
            return "map[" + " ".join(f"{k}:{show(value[k])}" for k in sorted(value)) + "]"
        case _:
            return str(value)


def join(values: Sequence[Value]) -> str:
    """Go's `print`: a space between two operands when neither is text."""
    text = ""
    for index, value in enumerate(values):
        if index and not (isinstance(value, str) or isinstance(values[index - 1], str)):
            text += " "
        text += show(value)
    return text


def quote(text: str) -> str:
    """A text in double quotes with the escapes of Go, which are those of JSON here."""
    return json.dumps(text, ensure_ascii=False)


def format_text(pattern: Value, values: Sequence[Value]) -> str:
    """Go's `printf` for texts and numbers; mistakes show up in the text, as in Go."""
    if not isinstance(pattern, str):
        raise ValueFault(f"wrong type for value; expected string; got {type_name(pattern)}")
    used = 0

    def replace(found: re.Match[str]) -> str:
        nonlocal used
        if found["verb"] is None:
            return "%!(NOVERB)"
        if found["verb"] == "%":
            return "%"
        if used >= len(values):
            return f"%!{found['verb']}(MISSING)"
        used += 1
        return _format(found, values[used - 1])

    text = _VERB.sub(replace, pattern)
    if used < len(values):
        extra = ", ".join(f"{type_name(value)}={show(value)}" for value in values[used:])
        text += f"%!(EXTRA {extra})"
    return text


def _format(found: re.Match[str], value: Value) -> str:
    width = int(found["width"] or 0)
    precision = None if found["precision"] is None else int(found["precision"] or 0)
    if width > _WIDEST or (precision or 0) > _WIDEST:
        raise ValueFault(f"width and precision of printf are at most {_WIDEST}")
    text = _verb(found["verb"], value, precision)
    if text is None:
        return f"%!{found['verb']}({type_name(value)}={show(value)})"
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if number and "+" in found["flags"] and not text.startswith("-"):
        text = f"+{text}"
    if "-" in found["flags"]:
        return text.ljust(width)
    return text.zfill(width) if number and "0" in found["flags"] else text.rjust(width)


def _verb(verb: str, value: Value, precision: int | None) -> str | None:
    """The value under one verb; None: the verb does not fit the value."""
    match verb, value:
        case "T", _:
            return type_name(value)
        case ("v", _) | ("t", bool()):
            return show(value)
        case _, str():
            return _text_verb(verb, value, precision)
        case _, float():
            return _float_verb(verb, value, precision)
        case (("d" | "x" | "X" | "o" | "b" | "c"), int()) if not isinstance(value, bool):
            return format(value, verb)
    return None


def _float_verb(verb: str, value: float, precision: int | None) -> str | None:
    if verb not in "eEfFgG":
        return None
    if precision is None and verb in "gG":
        return shortest(value)
    return format(value, f".{6 if precision is None else precision}{verb}")


def _text_verb(verb: str, value: str, precision: int | None) -> str | None:
    match verb:
        case "s":
            return value[:precision]
        case "q":
            return quote(value[:precision])
        case "x":
            return value.encode().hex()
        case _:
            return None
