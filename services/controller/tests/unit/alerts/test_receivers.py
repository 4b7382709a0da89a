"""What receivers get that upstream does not know: web hooks of one's own, and Alertmanager."""

import hashlib
import hmac

import pytest

from flagger_controller.rollout.decision import Severity

from .messages import ERROR, FACTS, INFO, WARN, message, payload, posted

LABELS = {
    "alertname": "FlaggerCanary",
    "canary": "podinfo",
    "namespace": "test",
    "cluster": "rig",
}


def test_a_web_hook_gets_everything() -> None:
    assert payload("webhook", message(WARN, "Halt")) == {
        **FACTS,
        "message": "Halt",
        "severity": "warn",
        "timestamp": "2026-05-01T12:00:00.250+00:00",
        "fields": [
            {"name": "Cluster", "value": "rig"},
            {"name": "Target", "value": "Deployment/podinfo.test"},
        ],
    }


def test_a_web_hook_is_signed_with_its_key() -> None:
    post = posted("webhook", key="k")
    expected = hmac.new(b"k", post.body, hashlib.sha256).hexdigest()
    assert post.headers == (("X-Signature", f"sha256={expected}"),)
    assert posted("webhook").headers == ()


@pytest.mark.parametrize("kind", ["webhook", "alertmanager"])
def test_receivers_are_logged_into(kind: str) -> None:
    assert posted(kind, token="abc").headers == (("Authorization", "Bearer abc"),)
    basic = (("Authorization", "Basic dTpw"),)
    assert posted(kind, login="u:p").headers == basic
    assert posted(kind, token="abc", login="u:p").headers == (("Authorization", "Bearer abc"),)


@pytest.mark.parametrize(
    ("severity", "name", "ends"),
    [
        (INFO, "info", "2026-05-01T12:05:00.250+00:00"),
        (WARN, "warning", "2026-05-02T12:00:00.250+00:00"),
        (ERROR, "critical", "2026-05-02T12:00:00.250+00:00"),
    ],
)
def test_an_alert_fires_and_those_before_it_end(severity: Severity, name: str, ends: str) -> None:
    now = "2026-05-01T12:00:00.250+00:00"
    firing, *ended = payload("alertmanager", message(severity))
    annotations = {
        "summary": "podinfo.test: It works.",
        "id": FACTS["id"],
        "phase": "Progressing",
    }
    assert firing == {
        "labels": {**LABELS, "severity": name},
        "annotations": annotations,
        "startsAt": now,
        "endsAt": ends,
    }
    others = [other for other in ("info", "warning", "critical") if other != name]
    assert ended == [
        {"labels": {**LABELS, "severity": other}, "annotations": annotations, "endsAt": now}
        for other in others
    ]


def test_without_the_name_of_a_cluster_there_is_no_such_label() -> None:
    firing, *_ = payload("alertmanager", message(facts={**FACTS, "cluster": ""}))
    assert "cluster" not in firing["labels"]


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("http://am:9093", "http://am:9093/api/v2/alerts"),
        ("http://am:9093/", "http://am:9093/api/v2/alerts"),
        ("http://am/alerts", "http://am/alerts/api/v2/alerts"),
        ("http://am:9093/api/v2/alerts", "http://am:9093/api/v2/alerts"),
    ],
)
def test_the_address_of_alertmanager_is_that_of_its_page(url: str, expected: str) -> None:
    assert posted("alertmanager", url=url).url == expected
