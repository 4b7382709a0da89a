"""White space in queries; pure."""

import re
from typing import Final

_TOKEN: Final = re.compile(
    r"""(?P<text>"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*'|`[^`]*`)"""
    r"""|(?P<comment>\#[^\n]*)"""
    r"""|(?P<space>\s+)""",
    re.DOTALL | re.VERBOSE,
)


def collapse(query: str, *, comments: bool = True) -> str:
    """The query on one line, as upstream sends it, with its meaning kept.

    Runs of white space become one space, except inside quotes; a comment, which on one line
    would swallow the rest of the query, becomes a space too (metrics.md 9.1, sharp edge M8).

    Args:
        query: as it was written.
        comments: the language has comments, as PromQL does, from `#` to the end of the line.
    """

    def kept(found: re.Match[str]) -> str:
        return found["text"] or ("\0" if comments or found["space"] else found["comment"])

    return re.sub("\0+", " ", _TOKEN.sub(kept, query))
