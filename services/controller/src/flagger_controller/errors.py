"""The errors of the controller: what went wrong decides who handles it."""

from typing import Any


class FlaggerError(Exception):
    """Base of all errors we raise on purpose; the text is shown to users as it is."""

    retry_after: float = 0.0
    """Seconds that the other side asks us to wait."""

    @property
    def fields(self) -> dict[str, Any]:
        """What log lines say about it in keys of their own."""
        return {}

    @property
    def quiet(self) -> bool:
        """Part of normal life: nobody has to do anything about it."""
        return False


class Retriable(FlaggerError):
    """The same call may succeed later: the API server or a provider is busy or unreachable."""


class Conflict(Retriable):
    """Somebody else wrote the object first; read it again and decide anew."""

    @property
    def quiet(self) -> bool:
        """It is."""
        return True


class NotFound(FlaggerError):
    """The object does not exist."""


class Gone(FlaggerError):
    """The Canary itself was deleted; the watch is about to tell."""


class ConfigError(FlaggerError):
    """A manifest asks for something that cannot be done; the text names field and remedy."""
