"""Any receiver of one's own: the whole alert as JSON, signed if there is a key.

Not one of upstream's. `X-Signature` is what receivers of Flux's `generic-hmac` check: the
HMAC-SHA256 of the body.
"""

import hashlib
import hmac

from flagger_controller.alerts.base import Address, Message, Post, authorization, checked, encode


def post(address: Address, message: Message) -> Post:
    """Everything that is known about the alert; `id` stays the same if it is told twice."""
    fields = [{"name": each.name, "value": each.value} for each in message.fields]
    document = {
        **message.facts,
        "message": message.text,
        "severity": message.severity.value,
        "timestamp": message.at.isoformat(timespec="milliseconds"),
        "fields": fields,
    }
    body = encode(document)
    headers = (*authorization(address), *_signature(address.key, body))
    return Post(checked(address.url, "webhook"), body, headers)


def _signature(key: str, body: bytes) -> tuple[tuple[str, str], ...]:
    if not key:
        return ()
    digest = hmac.new(key.encode(), body, hashlib.sha256).hexdigest()
    return (("X-Signature", f"sha256={digest}"),)
