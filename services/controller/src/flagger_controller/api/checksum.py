"""The `checksum` of webhook payloads, bit for bit upstream's (webhooks.md 10.1).

Gates compare it for equality, and a gate that was opened for a checksum stays open when the
controller is replaced.
"""

from collections.abc import Mapping
from typing import Final

_OFFSET: Final = 2166136261
_PRIME: Final = 16777619
_ALPHABET: Final = "bcdfghjklmnpqrstvwxz2456789"


def checksum(tracked_configs: Mapping[str, str] | None, last_applied_spec: str) -> str:
    """A word of up to 10 letters and digits for a pair of config checksums and revision hash.

    Args:
        tracked_configs: `status.trackedConfigs`; None when configs are not tracked.
        last_applied_spec: `status.lastAppliedSpec`.
    """
    number = fnv(_dump(tracked_configs, last_applied_spec))
    return "".join(_ALPHABET[ord(digit) % len(_ALPHABET)] for digit in str(number))


def fnv(text: str) -> int:
    """FNV-1a, 32 bits, of the text in UTF-8: how upstream hashes."""
    number = _OFFSET
    for byte in text.encode():
        number = (number ^ byte) * _PRIME % 2**32
    return number


def _dump(tracked_configs: Mapping[str, str] | None, last_applied_spec: str) -> str:
    """The pair as Go's dump of upstream's struct."""
    configs = "<nil>"
    if tracked_configs is not None:
        entries = sorted(tracked_configs.items(), key=lambda item: item[0].encode())
        configs = f"map[{' '.join(f'{key}:{value}' for key, value in entries)}]"
    return (
        "(struct { TrackedConfigs *map[string]string; LastAppliedSpec string })"
        f"{{TrackedConfigs:(*map[string]string){configs} "
        f"LastAppliedSpec:(string){last_applied_spec}}}"
    )
