"""The wire rules of the webhook payload (loadtester.md section 2.1, webhooks.md section 10)."""

import pydantic
import pytest

from flagger_common.payload import CanaryWebhookPayload, PayloadError

FULL = (
    b'{"name":"podinfo","namespace":"test","phase":"Progressing","checksum":"85d557f47b",'
    b'"metadata":{"cmd":"hey -z 1m http://podinfo/","type":"cmd"}}'
)


def test_a_full_payload_survives_the_round_trip_byte_for_byte() -> None:
    payload = CanaryWebhookPayload.parse(FULL)
    assert payload.canary == "podinfo.test"
    assert payload.phase == "Progressing"
    assert payload.metadata == {"cmd": "hey -z 1m http://podinfo/", "type": "cmd"}
    assert payload.to_bytes() == FULL


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b"null", CanaryWebhookPayload()),
        (b"{}", CanaryWebhookPayload()),
        (b'{"name":null,"metadata":null}', CanaryWebhookPayload()),
        (b' \n{"name":"a"}\t', CanaryWebhookPayload(name="a")),
        (b'{"NAME":"a","nameSpace":"b"}', CanaryWebhookPayload(name="a", namespace="b")),
        (b'{"name":"a","Name":"b"}', CanaryWebhookPayload(name="b")),
        (b'{"name":"a","name":null}', CanaryWebhookPayload(name="a")),
        (b'{"nmae":"a","x":[1,{"y":1e9999}],"z":%s}' % (b"9" * 5000), CanaryWebhookPayload()),
        (b'{"metadata":{"A":"1","a":"2","b":null}}', None),
        (b'{"name":"\\ud83d\\ude00"}', CanaryWebhookPayload(name="\U0001f600")),
        (b'{"name":"\\ud800"}', CanaryWebhookPayload(name="\ufffd")),
        (b'{"name":"\xff"}', CanaryWebhookPayload(name="\ufffd")),
    ],
)
def test_lenient_bodies_are_accepted(body: bytes, expected: CanaryWebhookPayload | None) -> None:
    payload = CanaryWebhookPayload.parse(body)
    if expected is None:
        assert payload.metadata == {"A": "1", "a": "2", "b": ""}
    else:
        assert payload == expected


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"", "empty body"),
        (b" \n", "empty body"),
        (b"{", "malformed"),
        (b"{} {}", "malformed"),
        (b"{}x", "malformed"),
        (b"\xef\xbb\xbf{}", "malformed"),
        (b"{'name':'a'}", "malformed"),
        (b'{"name":"a",}', "malformed"),
        (b'{"name":NaN}', "NaN"),
        (b'{"other":-Infinity}', "Infinity"),
        (b'{"name":"a\nb"}', "malformed"),
        (b"[" * 100_000, "malformed"),
        (b"[]", "an array"),
        (b'"text"', "a string"),
        (b"true", "a boolean"),
        (b"1", "a number"),
        (b'{"name":1}', "name must be a string, not a number"),
        (b'{"phase":{}}', "phase must be a string, not an object"),
        (b'{"metadata":[]}', "metadata must be an object, not an array"),
        (b'{"metadata":{"weight":1}}', "metadata.weight must be a string, not a number"),
        (b'{"metadata":{"on":true}}', "metadata.on must be a string, not a boolean"),
    ],
)
def test_other_bodies_are_refused_with_the_reason(body: bytes, reason: str) -> None:
    with pytest.raises(PayloadError, match=reason):
        CanaryWebhookPayload.parse(body)


def test_encoding_is_upstreams() -> None:
    payload = CanaryWebhookPayload(name="a", namespace="b", metadata={"z": "<&>\u2028", "a": "é"})
    assert (
        payload.to_bytes()
        == (
            '{"name":"a","namespace":"b","phase":"","checksum":"",'
            '"metadata":{"a":"é","z":"\\u003c\\u0026\\u003e\\u2028"}}'
        ).encode()
    )
    assert CanaryWebhookPayload.parse(payload.to_bytes()) == payload


def test_empty_metadata_is_left_out() -> None:
    assert b"metadata" not in CanaryWebhookPayload(name="a").to_bytes()


def test_payloads_do_not_change() -> None:
    payload = CanaryWebhookPayload(name="a")
    for field in CanaryWebhookPayload.model_fields:
        with pytest.raises(pydantic.ValidationError, match="frozen"):
            setattr(payload, field, "b")
