"""Queries of autoscaler triggers, rewritten from the target to its primary (T5)."""

import re
from collections.abc import Mapping
from typing import Final

_PODS: Final = r"-[\[.(*+?%\\]"
"""The start of a pattern for pod names, as in `podinfo-.*`."""
_PROMQL: Final = re.compile(r"""#.*|"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|`[^`]*`""")
_SQL: Final = re.compile(r"--.*|'(?:[^']|'')*'")
_MYSQL: Final = re.compile(r"""#.*|--.*|"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'""")
_TEXTS: Final[Mapping[str, re.Pattern[str]]] = {
    "loki": _PROMQL,
    "predictkube": _PROMQL,
    "prometheus": _PROMQL,
    "mssql": _SQL,
    "mysql": _MYSQL,
    "postgresql": _SQL,
}
"""Type of a trigger to the texts and comments in its language. Outside of texts a word that is
called like the target is something else: a label, a metric, a table."""
_COMMENTS: Final = ("#", "--")


def for_primary(query: str, target: str, language: str) -> str:
    """The query with the names of target and canary replaced by the primary's.

    Names are replaced as whole words: `podinfo-ns`, `my-podinfo` and `podinfo_requests_total`
    are something else, and `podinfo-primary` is right already. `podinfo-canary` may stand between
    underscores, as in Envoy cluster names: `default_podinfo-canary_80`.

    Args:
        query: of the target's trigger.
        target: name of the target.
        language: type of the trigger; where it is not known, names can be anywhere.
    """
    texts = _TEXTS.get(language)
    if texts is None:
        return _renamed(query, target)
    return texts.sub(lambda text: _renamed(text.group(), target), query)


def _renamed(text: str, target: str) -> str:
    if text.startswith(_COMMENTS):
        return text
    name = re.escape(target)
    canary = rf"(?<![A-Za-z0-9-]){name}-canary(?={_PODS}|[^A-Za-z0-9-]|$)"
    plain = rf"(?<![\w-]){name}(?={_PODS}|[^\w-]|$)"
    return re.sub(f"{canary}|{plain}", f"{target}-primary", text)
