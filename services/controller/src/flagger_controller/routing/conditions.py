"""Conditions of the analysis, for providers that say each header and each parameter by itself.

A condition that a provider cannot express is refused, never dropped: without it the rule for the
canary would match everybody (routing.md S4).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from flagger_controller.api.base import Object
from flagger_controller.errors import ConfigError

T = TypeVar("T")
Operators = Mapping[str, Callable[[str, str], T]]
"""Istio's operator to a function that makes the provider's condition of name and value."""


@dataclass(frozen=True)
class Language(Generic[T]):
    """What a provider can say about a request."""

    provider: str
    headers: Operators[T]
    query: Operators[T]

    def all_of(self, conditions: Sequence[Object]) -> list[list[T]]:
        """For each entry of `analysis.match` what a request must meet, all of it, in order of name.

        Raises:
            ConfigError: a condition that the provider does not have, or that says nothing.
        """
        return [
            self._entry(entry, f"spec.analysis.match[{i}]") for i, entry in enumerate(conditions)
        ]

    def _entry(self, entry: Object, place: str) -> list[T]:
        for name in sorted(name for name, value in entry.items() if value):
            if name not in ("headers", "queryParams"):
                raise ConfigError(f"{place}.{name} does not exist in {self.provider}: remove it")
        found = [
            *self._each(entry.get("headers") or {}, self.headers, f"{place}.headers"),
            *self._each(entry.get("queryParams") or {}, self.query, f"{place}.queryParams"),
        ]
        if not found:
            raise ConfigError(
                f"{place} has no header or query parameter and would match every request: "
                "add one, or remove the entry"
            )
        return found

    def _each(self, given: Mapping[str, Any], operators: Operators[T], place: str) -> list[T]:
        return [
            self._one(name, given[name] or {}, operators, f"{place}.{name}")
            for name in sorted(given)
        ]

    def _one(self, name: str, matcher: Mapping[str, Any], operators: Operators[T], place: str) -> T:
        for operator, write in operators.items():
            if value := matcher.get(operator):
                return write(name, str(value))
        raise ConfigError(
            f"{place}: {self.provider} has no {' or '.join(sorted(matcher)) or 'empty'} operator "
            f"here, use {' or '.join(sorted(operators))}"
        )
