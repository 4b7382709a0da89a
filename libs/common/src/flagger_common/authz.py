"""Which namespaces a companion serves: the ``-namespace-regexp`` rule (loadtester.md section 2.2).

The namespace is what the caller claims, so this rule prevents accidents, not attacks.
"""

import dataclasses
import re
from typing import Final

_MAX_NAMESPACE: Final = 253
_NOT_RE2: Final = re.compile(r"\(\?(?:[=!>(]|<[=!]|P=)|\\[1-9]")
"""Look-around, back-references, conditionals and atomic groups: unknown to RE2."""


class RuleError(ValueError):
    """The expression given by the operator cannot be used."""


@dataclasses.dataclass(frozen=True)
class NamespaceRule:
    """An allow-list of namespaces as one regular expression."""

    pattern: re.Pattern[str] | None = None
    """What to look for; None allows everything."""

    anchored: bool = False
    """Whether the whole name must match. Upstream searches: ``test`` allows ``prod-latest`` too."""

    @classmethod
    def parse(cls, expression: str, *, anchored: bool = False) -> "NamespaceRule":
        """Compile an operator's expression; empty allows everything.

        Raises:
            RuleError: when it does not compile, or when it uses what upstream's RE2 does not know.
        """
        if not expression:
            return cls(anchored=anchored)
        if _NOT_RE2.search(re.sub(r"\\[^1-9]", "", expression)):
            raise RuleError(f"namespace expression {expression!r} uses syntax that RE2 lacks")
        try:
            return cls(re.compile(expression.replace(r"\z", r"\Z")), anchored)
        except re.error as error:
            raise RuleError(f"namespace expression {expression!r}: {error}") from error

    def allows(self, namespace: str) -> bool:
        """Say whether a payload of this namespace is served.

        A name that no namespace can have is refused when there is a rule: a newline would slip past
        ``$``, and a long one is food for a slow expression.
        """
        if self.pattern is None:
            return True
        if len(namespace) > _MAX_NAMESPACE or "\n" in namespace:
            return False
        match = self.pattern.fullmatch if self.anchored else self.pattern.search
        return match(namespace) is not None
