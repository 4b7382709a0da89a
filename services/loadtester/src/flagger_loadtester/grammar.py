"""Command lines without a shell: words, quotes and connectors, nothing else (loadtester.md 8.2.1).

Pure. Words are quoted as POSIX says. Simple commands are joined by ``|``, ``&&``, ``||``, ``;`` and
line ends. Whatever else a shell would act on is refused, never taken literally: a text that passes
means here what it means to ``sh`` and to ``bash``.
"""

import dataclasses
import re
from collections.abc import Iterator
from typing import Final, NoReturn

from flagger_common.plan import Argv, Connector, Pipeline, Plan

_HINT: Final = (
    "strict mode runs no shell: quote it if it is text, allow the shell for this namespace, "
    "or use -compat"
)
_SPECIAL: Final = {
    "$": "an expansion",
    "`": "a command substitution",
    "<": "a redirection",
    ">": "a redirection",
    "*": "a pattern",
    "?": "a pattern",
    "[": "a pattern",
    "{": "a brace",
    "}": "a brace",
    "(": "a subshell",
    ")": "a subshell",
}
"""What an unquoted character starts."""
_AT_START: Final = {"~": "an expansion", "#": "a comment"}
"""The same, for the first character of a word."""
_CONTROL: Final = frozenset(
    {"!", "if", "then", "elif", "else", "fi", "for", "while", "until", "do", "done", "case"}
    | {"esac", "select", "function", "time", "coproc"}
)
_ASSIGNMENT: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\+?=")
_OPERATOR: Final = re.compile(r"&&|\|\||;;|\|&|[|;&\n]")
_JOINS: Final = {"&&": Connector.ON_SUCCESS, "||": Connector.ON_FAILURE, ";": Connector.ALWAYS}


class GrammarError(ValueError):
    """The text needs a shell, or is none; says what is wrong, where, and what to do."""


@dataclasses.dataclass(frozen=True)
class _Word:
    text: str
    start: int
    bare: str
    """The unquoted beginning, the part that can make it a control word or an assignment."""


@dataclasses.dataclass(frozen=True)
class _Operator:
    text: str
    start: int


def parse(text: str, *, pipefail: bool = False) -> Plan:
    """Read a command line; the empty one is the empty plan.

    Raises:
        GrammarError: for anything but simple commands and their connectors.
    """
    steps: list[tuple[Connector, Pipeline]] = []
    connector = Connector.ALWAYS
    pipeline: list[Argv] = []
    for argv, operator in _commands(text):
        pipeline.append(argv)
        if operator != "|":
            steps.append((connector, tuple(pipeline)))
            connector, pipeline = _JOINS[operator], []
    return Plan(tuple(steps), pipefail)


def words(text: str) -> Argv:
    """Read the words of one simple command; none for an empty text.

    Raises:
        GrammarError: as `parse`, and for connectors.
    """
    plan = parse(text)
    if not plan.steps:
        return ()
    if len(plan.steps) > 1 or len(plan.steps[0][1]) > 1:
        raise GrammarError("one command is allowed here, not several")
    return plan.steps[0][1][0]


def _commands(text: str) -> Iterator[tuple[Argv, str]]:
    """Yield each simple command with the connector behind it; that of a line's end is ``;``."""
    argv: list[str] = []
    last = ";"
    for token in (*_tokens(text), _Operator("\n", len(text))):
        if isinstance(token, _Word):
            argv.append(token.text if argv else _program(token))
        elif argv:
            last = ";" if token.text == "\n" else token.text
            yield tuple(argv), last
            argv = []
        elif token.text != "\n":
            _refuse(f"no command stands before {token.text!r}", token.start)
    if last != ";":  # a line may end behind a connector, a text may not
        _refuse(f"nothing follows {last!r}", len(text))


def _program(word: _Word) -> str:
    """Return the first word of a command unless it means something to a shell."""
    if word.text in _CONTROL and word.bare == word.text:
        _refuse(f"a control word, {word.text!r}", word.start)
    if _ASSIGNMENT.match(word.bare):
        _refuse("an assignment", word.start)
    return word.text


def _tokens(text: str) -> Iterator[_Word | _Operator]:
    if (nul := text.find("\0")) >= 0:
        _refuse("a NUL character", nul)
    at = 0
    while at < len(text):
        if text[at] in " \t":
            at += 1
        elif text.startswith("\\\n", at):
            at += 2
        elif operator := _OPERATOR.match(text, at):
            yield _operator(operator)
            at = operator.end()
        else:
            word, at = _word(text, at)
            yield word


def _operator(found: re.Match[str]) -> _Operator:
    if found[0] in ("&", "|&"):
        _refuse("a background command or redirection, '&'", found.start())
    if found[0] == ";;":
        _refuse("';;'", found.start())
    return _Operator(found[0], found.start())


def _word(text: str, start: int) -> tuple[_Word, int]:
    """Read one word; returns it and the position behind it."""
    parts: list[str] = []
    at = start
    bare_end: int | None = None
    if text[start] in _AT_START:
        _refuse(f"{_AT_START[text[start]]}, {text[start]!r}", start)
    while at < len(text) and text[at] not in " \t\n|;&":
        char = text[at]
        if char in _SPECIAL:
            _refuse(f"{_SPECIAL[char]}, {char!r}", at)
        if char == "~" and text[at - 1] in "=:" and at > start:  # bash expands these, sh does not
            _refuse("an expansion, '~'", at)
        if char in "'\"\\" and bare_end is None and not text.startswith("\\\n", at):
            bare_end = len(parts)
        if char == "'":
            part, at = _single(text, at)
        elif char == '"':
            part, at = _double(text, at)
        elif char == "\\":
            part, at = _escaped(text, at)
        else:
            part, at = char, at + 1
        parts.append(part)
    return _Word("".join(parts), start, "".join(parts[:bare_end])), at


def _single(text: str, start: int) -> tuple[str, int]:
    end = text.find("'", start + 1)
    if end < 0:
        _refuse("a quote without its end", start)
    return text[start + 1 : end], end + 1


def _double(text: str, start: int) -> tuple[str, int]:
    parts: list[str] = []
    at = start + 1
    while at < len(text):
        char, after = text[at], text[at + 1 : at + 2]
        if char == '"':
            return "".join(parts), at + 1
        if char in "$`":
            _refuse(f"{_SPECIAL[char]}, {char!r}", at)
        if char == "\\" and after and after in '$`"\\\n':
            parts.append("" if after == "\n" else after)
            at += 2
        else:
            parts.append(char)
            at += 1
    _refuse("a quote without its end", start)


def _escaped(text: str, start: int) -> tuple[str, int]:
    if start + 1 == len(text):
        _refuse("a backslash at the end", start)
    char = text[start + 1]
    return ("" if char == "\n" else char), start + 2


def _refuse(what: str, at: int) -> NoReturn:
    raise GrammarError(f"{what} at character {at + 1} of the command: {_HINT}")
