"""Which program a command text runs, for those whose output can be read."""

import posixpath
import shlex
from collections.abc import Iterator
from typing import Final

_OPERATORS: Final = ";&|()\n"
_BEFORE: Final = frozenset({"{", "!", "if", "then", "else", "do", "while", "until", "time", "exec"})
"""Words of the shell that stand before a command."""


def programs(command: str) -> Iterator[str]:
    """Yield the program of each simple command, without its path.

    Raises:
        ValueError: the quotes do not match.
    """
    words = shlex.shlex(command, posix=True, punctuation_chars=_OPERATORS)
    words.whitespace = " \t\r"
    words.whitespace_split = True
    words.commenters = ""
    expected = True
    for word in words:
        if word and not word.strip(_OPERATORS):
            expected = True
        elif expected and word not in _BEFORE and not _assignment(word):
            expected = False
            yield posixpath.basename(word)


def _assignment(word: str) -> bool:
    name, equals, _ = word.partition("=")
    return bool(equals) and name.isidentifier()
