"""Query templates, part five: the functions of the language (metrics.md 7.3); pure."""

import html
import urllib.parse
from collections.abc import Callable, Mapping
from typing import Final

from flagger_controller.metrics.template_values import (
    Value,
    ValueFault,
    format_text,
    join,
    show,
    type_name,
)

_JS: Final = str.maketrans(
    {
        "\\": "\\\\",
        "'": "\\'",
        '"': '\\"',
        "<": "\\u003C",
        ">": "\\u003E",
        "&": "\\u0026",
        "=": "\\u003D",
        **{chr(code): f"\\u{code:04X}" for code in range(0x20)},
    }
)


def _need(name: str, values: tuple[Value, ...], least: int, most: int | None = None) -> None:
    if len(values) < least or (most is not None and len(values) > most):
        wanted = f"at least {least}" if most is None else str(most)
        raise ValueFault(f"wrong number of args for {name}: want {wanted} got {len(values)}")


def truth(value: Value) -> bool:
    """Go's truth: nil, false, zero and everything empty are false."""
    return bool(value)


def _not(*values: Value) -> Value:
    _need("not", values, 1, 1)
    return not truth(values[0])


def _len(*values: Value) -> Value:
    _need("len", values, 1, 1)
    if isinstance(values[0], str):
        return len(values[0].encode())
    if isinstance(values[0], Mapping):
        return len(values[0])
    raise ValueFault(f"error calling len: len of type {type_name(values[0])}")


def _index(*values: Value) -> Value:
    _need("index", values, 1)
    found, *keys = values
    for key in keys:
        if isinstance(found, Mapping):
            if not isinstance(key, str):
                raise ValueFault(f"error calling index: value has type {type_name(key)}")
            found = found.get(key, "")
        elif isinstance(found, str):
            found = found.encode()[_position(key, len(found.encode()) - 1)]
        else:
            raise ValueFault(f"error calling index: can't index item of type {type_name(found)}")
    return found


def _slice(*values: Value) -> Value:
    _need("slice", values, 1, 3)
    text = values[0]
    if not isinstance(text, str):
        raise ValueFault(f"error calling slice: can't slice item of type {type_name(text)}")
    raw = text.encode()
    start, end, *_ = (
        *(_position(each, len(raw)) for each in values[1:]),
        *(0, len(raw))[len(values) - 1 :],
    )
    if start > end:
        raise ValueFault(f"error calling slice: invalid slice index: {start} > {end}")
    return raw[start:end].decode(errors="replace")


def _position(value: Value, highest: int) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise ValueFault(f"cannot index slice/array with type {type_name(value)}")
    if not 0 <= value <= highest:
        raise ValueFault(f"index out of range: {value}")
    return value


def _eq(*values: Value) -> Value:
    if len(values) < 2:
        raise ValueFault("error calling eq: missing argument for comparison")
    return any(_same(values[0], each) for each in values[1:])


def _same(left: Value, right: Value) -> bool:
    if isinstance(left, Mapping) or isinstance(right, Mapping):
        raise ValueFault("error calling eq: incompatible types for comparison")
    if left is not None and right is not None and type(left) is not type(right):
        raise ValueFault("error calling eq: incompatible types for comparison")
    return bool(left == right)


def _ne(*values: Value) -> Value:
    _need("ne", values, 2, 2)
    return not _same(*values)


def _ordered(name: str, compare: Callable[[Value, Value], bool]) -> Callable[..., Value]:
    def function(*values: Value) -> Value:
        _need(name, values, 2, 2)
        left, right = values
        if type(left) is not type(right):
            raise ValueFault(f"error calling {name}: incompatible types for comparison")
        if not isinstance(left, str | int | float) or isinstance(left, bool):
            raise ValueFault(f"error calling {name}: invalid type for comparison")
        return compare(left, right)

    return function


def _printf(*values: Value) -> Value:
    _need("printf", values, 1)
    return format_text(values[0], values[1:])


def _html(*values: Value) -> Value:
    escaped = html.escape(join(values))
    return escaped.replace("&quot;", "&#34;").replace("&#x27;", "&#39;")


def _call(*values: Value) -> Value:
    _need("call", values, 1)
    raise ValueFault(f"error calling call: non-function of type {type_name(values[0])}")


FUNCTIONS: Final[Mapping[str, Callable[..., Value]]] = {
    "not": _not,
    "len": _len,
    "index": _index,
    "slice": _slice,
    "print": lambda *values: join(values),
    "println": lambda *values: " ".join(map(show, values)) + "\n",
    "printf": _printf,
    "html": _html,
    "js": lambda *values: join(values).translate(_JS),
    "urlquery": lambda *values: urllib.parse.quote_plus(join(values)),
    "call": _call,
    "eq": _eq,
    "ne": _ne,
    "lt": _ordered("lt", lambda left, right: bool(left < right)),
    "le": _ordered("le", lambda left, right: bool(left <= right)),
    "gt": _ordered("gt", lambda left, right: bool(left > right)),
    "ge": _ordered("ge", lambda left, right: bool(left >= right)),
}
LAZY: Final = ("and", "or")
"""Evaluate their arguments one by one, so the interpreter has them."""
