"""What may be shown of addresses that are secrets, as those of web hooks are."""

from typing import Final

from yarl import URL

LONG_WORD: Final = 8
"""Characters from which on a part of an address, or a header, may be a secret of its own."""


def origin(url: str) -> str:
    """What may be shown of an address that is a secret: its scheme, host and port."""
    try:
        return str(URL(url).origin())
    except ValueError:
        return "an address that is not valid"


def secrets_of(url: str) -> tuple[str, ...]:
    """What must not be shown of an address that is a secret: the whole, and its long words."""
    try:
        parsed = URL(url)
    except ValueError:
        return (url,)
    words = (*parsed.parts, *parsed.query.values())
    return (url, parsed.password or "", *(word for word in words if len(word) >= LONG_WORD))
