"""Have the parts of a Canary that stay dicts the shape that their readers rely on?

The API server's schema sees to that, but an older one may have let in anything. Types only: what
a value may be is judged by those who read it, and null is as good as absent.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from pydantic import AfterValidator

from flagger_controller.api.base import Object

_TYPES: Final[Mapping[str, tuple[type, ...]]] = {
    "object": (dict,),
    "array": (list,),
    "string": (str,),
    "boolean": (bool,),
    "integer": (int, float),
}


def shaped(schema: Object) -> AfterValidator:
    """Refuse a part whose values have other types than its schema says, naming each of them."""

    def check(part: Object) -> Object:
        wrong = list(_mismatches(schema, part, ""))
        if wrong:
            raise ValueError("; ".join(wrong))
        return part

    return AfterValidator(check)


def _mismatches(schema: Object, value: Any, path: str) -> Iterator[str]:
    if value is None or "type" not in schema:
        return
    if not isinstance(value, _TYPES[schema["type"]]):
        yield f"{path} should be of type {schema['type']}"
    elif isinstance(value, dict):
        rest = schema.get("additionalProperties", {})
        known = schema.get("properties", {})
        for key, item in value.items():
            yield from _mismatches(known.get(key, rest), item, f"{path}.{key}" if path else key)
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _mismatches(schema["items"], item, f"{path}.{index}")
