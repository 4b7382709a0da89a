"""White space in PromQL; pure."""

import re
from typing import Final

_TOKEN: Final = re.compile(
    r"""(?P<text>"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*'|`[^`]*`)"""
    r"""|(?P<comment>\#[^\n]*)"""
    r"""|(?P<space>\s+)""",
    re.DOTALL | re.VERBOSE,
)


def collapse(query: str) -> str:
    """The query on one line, as upstream sends it, with its meaning kept.

    Runs of white space become one space, except inside quotes; a comment, which on one line
    would swallow the rest of the query, becomes a space too (metrics.md 9.1, sharp edge M8).
    """
    parts = _TOKEN.sub(lambda found: found["text"] or "\0", query)
    return re.sub("\0+", " ", parts)
