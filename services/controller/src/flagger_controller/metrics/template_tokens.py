"""Query templates, part one: text to tokens (metrics.md 7.3); pure."""

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

_SPACE: Final = " \t\r\n"
_COMMENT: Final = re.compile(r"\{\{(-[ \t\r\n])?/\*.*?\*/([ \t\r\n]-)?\}\}", re.DOTALL)
_TOKEN: Final = re.compile(
    r"""(?P<string>"(?:\\.|[^"\\\n])*"|`[^`]*`)"""
    r"""|(?P<char>'(?:\\.[^']*|[^'\\\n])')"""
    r"""|(?P<number>[+-]?(?:0[xX][0-9a-fA-F]+|0[bB][01]+|0[oO][0-7]+"""
    r"""|(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?))"""
    r"""|(?P<variable>\$\w*)"""
    r"""|(?P<field>\.[^\W\d]\w*)"""
    r"""|(?P<name>[^\W\d]\w*)"""
    r"""|(?P<sign>:=|[=|(),.])""",
    re.VERBOSE,
)
_ESCAPE: Final = re.compile(
    r"""\\(?:[abfnrtv\\"']|[0-7]{3}|x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8})"""
)
"""The escapes of Go, which are fewer than Python's."""


class Fault(Exception):
    """A template cannot be read or filled in; `render` says where that is."""

    def __init__(self, place: int, cause: str) -> None:
        super().__init__(cause)
        self.place = place
        """Characters of the template before it."""


@dataclass(frozen=True)
class Token:
    """The smallest part of an action."""

    kind: str
    """string, number, char, variable, field, name, or sign."""
    text: str
    place: int
    """Characters of the template before it."""
    spaced: bool
    """White space comes before it, so it starts a new argument."""


@dataclass(frozen=True)
class Part:
    """A piece of plain text, or the tokens of an action."""

    place: int
    text: str = ""
    action: tuple[Token, ...] | None = None


def split(source: str) -> Iterator[Part]:
    """The parts of a template, with the white space trimmed that its markers ask for.

    Raises:
        Fault: an action does not end, or holds characters that mean nothing.
    """
    position, trim = 0, False
    while (start := source.find("{{", position)) >= 0:
        trim_before = source[start + 2 : start + 3] == "-" and source[start + 3 : start + 4] in (
            *_SPACE,
        )
        text = source[position:start].lstrip(_SPACE) if trim else source[position:start]
        yield Part(start, text=text.rstrip(_SPACE) if trim_before else text)
        comment = _COMMENT.match(source, start)
        if comment:
            position, trim = comment.end(), comment[2] is not None
            continue
        tokens, position, trim = _action(source, start, start + (3 if trim_before else 2))
        yield Part(start, action=tokens)
    rest = source[position:]
    yield Part(len(source), text=rest.lstrip(_SPACE) if trim else rest)


def _action(source: str, place: int, start: int) -> tuple[tuple[Token, ...], int, bool]:
    """Tokens, the position after the action, and whether white space after it goes."""
    tokens: list[Token] = []
    position, spaced = start, True
    while position < len(source):
        char = source[position]
        if source.startswith("}}", position):
            return tuple(tokens), position + 2, False
        if spaced and source.startswith("-}}", position) and position > start:
            return tuple(tokens), position + 3, True
        if char in _SPACE:
            spaced, position = True, position + 1
            continue
        token = _token(source, position, spaced=spaced)
        _check_neighbours(tokens, token)
        tokens.append(token)
        position, spaced = position + len(token.text), False
    raise Fault(place, "unclosed action")


def _token(source: str, position: int, *, spaced: bool) -> Token:
    found = _TOKEN.match(source, position)
    if found is None or found.lastgroup is None:
        char = source[position]
        if char in "\"'`":
            raise Fault(position, "unterminated quoted string")
        raise Fault(position, _bad(char))
    return Token(found.lastgroup, found[0], position, spaced)


def _check_neighbours(tokens: list[Token], token: Token) -> None:
    """Reject `a-1` and the like: operands are separated by space or a sign."""
    if token.spaced or not tokens or token.kind in ("sign", "field"):
        return
    before = tokens[-1]
    if before.kind != "sign" or before.text in (")", "."):
        raise Fault(token.place, _bad(token.text[0]))


def _bad(char: str) -> str:
    cause = f"bad character U+{ord(char):04X} '{char}'"
    if char == "-":
        return f'{cause}; write {{{{ index variables "a-b" }}}} for a key that has one'
    return cause


def literal(token: Token) -> str | int | float:
    """The value of a string, character or number token.

    Raises:
        Fault: an escape or digit that is not one.
    """
    text = token.text
    if token.kind == "string" and text.startswith("`"):
        return text[1:-1].replace("\r", "")
    if token.kind != "number" and _ESCAPE.sub("", text).count("\\"):
        raise Fault(token.place, f"bad literal {text}")
    try:
        value = ast.literal_eval(text.lstrip("+") if token.kind == "number" else text)
    except (ValueError, SyntaxError) as error:
        raise Fault(token.place, f"bad literal {text}") from error
    if token.kind == "char":
        if len(value) != 1:
            raise Fault(token.place, f"bad literal {text}")
        return ord(value)
    if not isinstance(value, str | int | float):
        raise Fault(token.place, f"bad literal {text}")
    return value
