"""Taking secrets out of commands and their output before they are logged or returned.

By their form (loadtester.md 8.2.9), so it is a help for people who write secrets into manifests,
not a guarantee.
"""

import base64
import re
from collections.abc import Iterator
from typing import Final

_MASK: Final = "***"
_SHORTEST: Final = 6
"""Shorter values are left in the output: they stand there by chance."""
_KEY: Final = r"(?:token|passwd|password|secret|api[-_]?key)"
_FORMS: Final = (
    # a header, up to the quote that ends it
    re.compile(r"(?i)((?:proxy-)?authorization\\?\s*:\s*)[^'\"\n]+"),
    # user:password behind -u of curl (alone or combined) and -a of hey
    re.compile(
        r"((?:^|\s)(?:-[A-Za-z]*[ua]|--user|--proxy-user)[= ]?\s*['\"]?)[^\s'\":]+:[^\s'\"]+"
    ),
    re.compile(r"(?i)((?:^|\s)--(?:oauth2-bearer|token|passw(?:or)?d)[= ]\s*['\"]?)[^\s'\"]+"),
    # "token": "x", token=x, X-Api-Key: x
    re.compile(rf"(?i)({_KEY}[\"']?\s*[:=]\s*[\"']?)[^\s\"'&,;}}]+"),
    # user information in a URL
    re.compile(r"(://)[^/\s@'\"]+(?=@)"),
)


def redact(text: str) -> str:
    """Return the text with the values of known secrets masked."""
    for form in _FORMS:
        text = form.sub(rf"\g<1>{_MASK}", text)
    return text


def conceal(output: str, command: str) -> str:
    """Return the output of a command with the secrets masked that the command holds."""
    values = {each for value in _values(command) for each in _written(value)}
    for value in sorted(values, key=len, reverse=True):  # no rest of a longer one is left
        if len(value) >= _SHORTEST:
            output = output.replace(value, _MASK)
    return output


def _values(command: str) -> Iterator[str]:
    """Yield what `redact` masks."""
    for form in _FORMS:
        for found in form.finditer(command):
            yield found[0].removeprefix(found[1])


def _written(secret: str) -> Iterator[str]:
    """Yield how programs write a secret: as it is, without the scheme, as a header of HTTP."""
    yield secret
    yield from secret.split()[-1:]
    if ":" in secret:
        yield secret.partition(":")[2]
        yield base64.b64encode(secret.encode()).decode()
