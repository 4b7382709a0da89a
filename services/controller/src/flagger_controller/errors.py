"""The errors of the controller: what went wrong decides who handles it."""


class FlaggerError(Exception):
    """Base of all errors we raise on purpose; the text is shown to users as it is."""


class Retriable(FlaggerError):
    """The same call may succeed later: the API server or a provider is busy or unreachable."""


class Conflict(Retriable):
    """Somebody else wrote the object first; read it again and decide anew."""


class NotFound(FlaggerError):
    """The object does not exist."""


class Gone(FlaggerError):
    """The Canary itself was deleted; the watch is about to tell."""


class ConfigError(FlaggerError):
    """A manifest asks for something that cannot be done; the text names field and remedy."""
