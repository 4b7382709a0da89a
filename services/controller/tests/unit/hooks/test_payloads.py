"""Payloads of hooks, byte for byte (webhooks.md section 10)."""

import json
from typing import Any

from flagger_controller.api.canary import Canary, HookType, Webhook
from flagger_controller.api.status import Phase
from flagger_controller.hooks import payloads


def canary(*webhooks: dict[str, Any]) -> Canary:
    target = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "target"}
    spec = {"targetRef": target, "analysis": {"webhooks": webhooks}}
    return Canary.from_api({"metadata": {"name": "podinfo", "namespace": "test"}, "spec": spec})


def webhook(**fields: Any) -> Webhook:
    return Webhook.model_validate({"name": "gate", "url": "http://gate.test", **fields})


def test_key_order_and_sorted_metadata() -> None:
    gate = webhook(metadata={"b": "2", "a": "1"})
    assert payloads.hook(canary(), gate, Phase.PROGRESSING, "758df7c9fc") == (
        b'{"name":"podinfo","namespace":"test","phase":"Progressing","checksum":"758df7c9fc",'
        b'"metadata":{"a":"1","b":"2"}}'
    )


def test_empty_metadata_is_omitted_and_the_phase_may_be_empty() -> None:
    assert payloads.hook(canary(), webhook(), Phase.NEW, "x") == (
        b'{"name":"podinfo","namespace":"test","phase":"","checksum":"x"}'
    )


def test_escapes_what_go_escapes() -> None:
    gate = webhook(metadata={"cmd": "a<b>&c\u2028\u2029é"})
    body = payloads.hook(canary(), gate, Phase.WAITING, "x")
    assert b'"cmd":"a\\u003cb\\u003e\\u0026c\\u2028\\u2029\xc3\xa9"' in body
    assert json.loads(body)["metadata"] == {"cmd": "a<b>&c\u2028\u2029é"}


def test_reserved_keys_of_an_event_cannot_be_overridden() -> None:
    notice = payloads.Notice("Halt it", warning=True, timestamp=1795502542361)
    own = {"eventType": "mine", "my": "m"}
    body = payloads.event(canary(), notice, Phase.FAILED, "x", own)
    assert json.loads(body) == {
        "name": "podinfo",
        "namespace": "test",
        "phase": "Failed",
        "checksum": "x",
        "metadata": {
            "eventMessage": "Halt it",
            "eventType": "Warning",
            "my": "m",
            "timestamp": "1795502542361",
        },
    }


def test_event_hooks_of_the_canary_replace_the_global_one() -> None:
    own = {"name": "mine", "type": "event", "url": "http://own.test"}
    other = {"name": "load", "url": "http://load.test"}
    named = payloads.event_hooks(canary(own, other), "http://global.test")
    assert [hook.name for hook in named] == ["mine"]
    (fallback,) = payloads.event_hooks(canary(other), "http://global.test")
    assert (fallback.name, fallback.kind, fallback.url, fallback.retries) == (
        "events",
        HookType.EVENT,
        "http://global.test",
        0,
    )
    assert payloads.event_hooks(canary(other), "") == ()
