"""Quantities of Kubernetes, such as `1500m` or `2Ki`, as numbers; pure."""

import re
from typing import Final

_FORM: Final = re.compile(r"([+-]?(?:\d+\.?\d*|\.\d+))([numkMGTPE]|[KMGTPE]i|[eE][+-]?\d+)?")
_DECIMAL: Final = {
    suffix: 10.0**exponent
    for suffix, exponent in zip("numkMGTPE", (-9, -6, -3, 3, 6, 9, 12, 15, 18), strict=True)
}
_BINARY: Final = {f"{suffix}i": 1024.0**power for power, suffix in enumerate("KMGTPE", start=1)}


def parse(text: str) -> float:
    """The number that a quantity stands for.

    Raises:
        ValueError: it is no quantity.
    """
    found = _FORM.fullmatch(text)
    if found is None:
        raise ValueError(f'"{text}" is no quantity')
    digits, suffix = found[1], found[2] or ""
    factor = (_DECIMAL | _BINARY).get(suffix)
    return float(digits + suffix) if factor is None else float(digits) * factor
