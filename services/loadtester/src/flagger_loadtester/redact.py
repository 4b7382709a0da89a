"""Taking secrets out of command texts before they are logged or returned (loadtester.md 8.2.9).

By their form, so it is a help for people who write secrets into manifests, not a guarantee.
"""

import re
from typing import Final

_MASK: Final = "***"
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
