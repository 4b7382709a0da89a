"""Who counts the requests to the API server."""

from collections.abc import Callable

Heard = Callable[[str, str, str], None]
"""Is told of every request: verb, resource, and the status code, or a word without an answer."""


def nobody(verb: str, resource: str, code: str) -> None:
    """Listens to nothing."""
