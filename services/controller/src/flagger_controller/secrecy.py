"""What may be shown of addresses: they hold passwords, and those of web hooks are secrets."""

import re
from typing import Final

from yarl import URL

LONG_WORD: Final = 8
"""Characters from which on a part of an address, or a header, may be a secret of its own."""

_PASSWORD: Final = re.compile(r"^((?:(?:[^/:]*:)?//)?[^/:]*):.*@", re.DOTALL)
"""From a user's name to the last @ of what is no address."""


def public(url: str) -> str:
    """The address as it may be shown, with its password masked the way Go does.

    Of what is no address more is masked rather than too little (sharp edge M26).
    """
    try:
        parsed = URL(url)
    except ValueError:
        parsed = URL()
    if parsed.password:
        return str(parsed.with_password("xxxxx"))
    return url if parsed.host else _PASSWORD.sub(r"\1:xxxxx@", url)


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
