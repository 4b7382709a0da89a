"""Queries of autoscaler triggers, rewritten from the target to its primary (T5)."""

import re
from typing import Final

_PODS: Final = r"-[\[.(*+?\\]"
"""The start of a pattern for pod names, as in `podinfo-.*`."""


def for_primary(query: str, target: str) -> str:
    """The query with the names of target and canary replaced by the primary's.

    Names are replaced as whole words: `podinfo-ns`, `my-podinfo` and `podinfo_requests_total`
    are something else, and `podinfo-primary` is right already. `podinfo-canary` may stand between
    underscores, as in Envoy cluster names: `default_podinfo-canary_80`.
    """
    name = re.escape(target)
    canary = rf"(?<![A-Za-z0-9-]){name}-canary(?={_PODS}|[^A-Za-z0-9-]|$)"
    plain = rf"(?<![\w-]){name}(?={_PODS}|[^\w-]|$)"
    return re.sub(f"{canary}|{plain}", f"{target}-primary", query)
