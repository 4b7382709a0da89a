"""Comparison of objects: same apart from what the server adds; and merge patches. Pure."""

from typing import Any

from flagger_controller.cluster.client import Object


def same(desired: Any, live: Any) -> bool:
    """Tell whether live says everything that desired says.

    Fields that only live has are the server's (defaults, metadata) or somebody else's and do
    not count; a field set to None, {} or [] is the same as an absent one. Lists are compared
    element by element and must have the same length.
    """
    match desired, live:
        case dict(), dict():
            return all(same(value, live.get(key)) for key, value in desired.items())
        case list(), list():
            return len(desired) == len(live) and all(map(same, desired, live))
        case bool(), _:
            # True == 1 in Python, not in JSON.
            return isinstance(live, bool) and desired == live
        case ((int() | float()), bool()):
            return False
        case _:
            return bool(desired == live) or (_absent(desired) and _absent(live))


def lost(desired: Any, live: Any, path: str = "") -> str:
    """Where live first differs from desired, such as `spec.rules[0].retry`; empty where `same`."""
    pairs: list[tuple[str, Any, Any]]
    match desired, live:
        case dict(), dict():
            pairs = [(f"{path}.{key}", value, live.get(key)) for key, value in desired.items()]
        case list(), list() if len(desired) == len(live):
            both = enumerate(zip(desired, live, strict=True))
            pairs = [(f"{path}[{index}]", *pair) for index, pair in both]
        case _:
            return "" if same(desired, live) else path.removeprefix(".")
    return next((found for at, one, other in pairs if (found := lost(one, other, at))), "")


def pruned(value: Any) -> Any:
    """Copy without entries that are None, {} or [], in any depth.

    For comparing only: `emptyDir: {}` says something when it is written.
    """
    if isinstance(value, dict):
        kept = {key: pruned(entry) for key, entry in value.items()}
        return {key: entry for key, entry in kept.items() if not _absent(entry)}
    if isinstance(value, list):
        return [pruned(entry) for entry in value]
    return value


def merged(value: Any, patch: Any) -> Any:
    """Apply a JSON merge patch (RFC 7386) and return the result; the input stays as it is."""
    if not isinstance(patch, dict):
        return patch
    result: Object = dict(value) if isinstance(value, dict) else {}
    for key, change in patch.items():
        if change is None:
            result.pop(key, None)
        else:
            result[key] = merged(result.get(key), change)
    return result


def _absent(value: Any) -> bool:
    return value is None or value == {} or value == []
