"""The webhook payload: what the controller sends and the companions receive.

Decoding follows the wire rules of upstream's receiver (loadtester.md section 2.1), which differ
from those of a plain JSON model: keys match whatever their case, ``null`` means empty, unknown keys
are ignored, and any content type is accepted because operators post with ``curl -d``.
"""

import json
import re
from collections.abc import Mapping
from typing import Any, Final, NoReturn

import pydantic

_TEXT_FIELDS: Final = ("name", "namespace", "phase", "checksum")
_LONE_SURROGATE: Final = re.compile("[\ud800-\udfff]")
_ESCAPES: Final = {ord(char): f"\\u{ord(char):04x}" for char in "<>&\u2028\u2029"}


class PayloadError(ValueError):
    """The body is not a webhook payload; the message says why, for the log."""


class CanaryWebhookPayload(pydantic.BaseModel):
    """One webhook call about one canary (webhooks.md section 10)."""

    model_config = pydantic.ConfigDict(frozen=True, extra="ignore", strict=True)

    name: str = ""
    """Name of the Canary object; empty when the sender left it out."""

    namespace: str = ""
    """Namespace of the Canary; chosen by the sender, so a hint and not an identity."""

    phase: str = ""
    """Phase of the Canary when the hook fired; empty before the first status."""

    checksum: str = ""
    """Identifies the revision (webhooks.md section 10.1)."""

    metadata: Mapping[str, str] = {}
    """The hook's own settings; empty when the sender omitted them."""

    @property
    def canary(self) -> str:
        """The ``name.namespace`` key used in logs, gates and task identities."""
        return f"{self.name}.{self.namespace}"

    @classmethod
    def parse(cls, raw: bytes) -> "CanaryWebhookPayload":
        """Decode a request body.

        Args:
            raw: the body as received; its content type does not matter.

        Raises:
            PayloadError: when it is not one JSON object with fields of the right types.
        """
        return cls.from_document(_decode(raw))

    @classmethod
    def from_document(cls, document: object) -> "CanaryWebhookPayload":
        """Build the payload from decoded JSON; ``None`` is the empty payload.

        Raises:
            PayloadError: when the document or one of the five fields has the wrong type.
        """
        if document is None:
            return cls()
        if not isinstance(document, _Pairs):
            raise PayloadError(f"payload must be a JSON object, not {_kind(document)}")
        fields: dict[str, object] = {}
        for key, value in document:
            name = key.casefold()
            if name == "metadata":
                fields[name] = _metadata(value)
            elif name in _TEXT_FIELDS and value is not None:
                fields[name] = _text(name, value)
        return cls.model_validate(fields)

    def to_bytes(self) -> bytes:
        """Encode as the controller sends it (webhooks.md section 10).

        Keys in declaration order, metadata sorted and left out when empty, no spaces, HTML
        characters escaped: receivers may sign bodies, so the bytes must not depend on dict order.
        """
        document: dict[str, Any] = {name: getattr(self, name) for name in _TEXT_FIELDS}
        if self.metadata:
            document["metadata"] = dict(sorted(self.metadata.items()))
        text = json.dumps(document, ensure_ascii=False, separators=(",", ":"))
        return text.translate(_ESCAPES).encode()


class _Pairs(list[tuple[str, object]]):
    """A decoded JSON object as its pairs, in order: of keys that fold alike the last wins."""


def _decode(raw: bytes) -> object:
    if not raw.strip():
        raise PayloadError("empty body")
    decoder = json.JSONDecoder(
        object_pairs_hook=_Pairs,
        parse_constant=_refuse_constant,
        parse_int=float,  # no field is a number: spares the digit limit of int()
    )
    try:
        return decoder.decode(raw.decode(errors="replace"))
    except (ValueError, RecursionError) as error:
        raise PayloadError(f"malformed JSON: {error}") from error


def _refuse_constant(literal: str) -> NoReturn:
    raise ValueError(f"{literal} is not JSON")


def _metadata(value: object) -> dict[str, str]:
    if value is None:
        return {}
    if not isinstance(value, _Pairs):
        raise PayloadError(f"metadata must be an object, not {_kind(value)}")
    return {
        _valid(key): "" if item is None else _text(f"metadata.{key}", item) for key, item in value
    }


def _text(name: str, value: object) -> str:
    if not isinstance(value, str):
        raise PayloadError(f"{name} must be a string, not {_kind(value)}")
    return _valid(value)


def _valid(text: str) -> str:
    """Replace lone surrogates, which JSON can express and UTF-8 cannot."""
    return _LONE_SURROGATE.sub("\ufffd", text)


def _kind(value: object) -> str:
    match value:
        case None:
            return "null"
        case _Pairs():
            return "an object"
        case list():
            return "an array"
        case bool():
            return "a boolean"
        case str():
            return "a string"
        case _:
            return "a number"
