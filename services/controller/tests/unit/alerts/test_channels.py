"""What the chats receive (alerting.md sections 5, 7 and 14)."""

import json
from typing import Any

import pytest

from flagger_controller.alerts import CHANNELS
from flagger_controller.alerts.base import Address, Channel, Field, Message
from flagger_controller.alerts.dispatch import Destination, open_channel
from flagger_controller.errors import ConfigError
from flagger_controller.rollout.decision import Severity

INFO, WARN, ERROR = Severity.INFO, Severity.WARN, Severity.ERROR
FIELDS = (Field("Cluster", "rig"), Field("Target", "Deployment/podinfo.test"))


def channel(kind: str, url: str = "https://chat.test/hook", **address: Any) -> Channel:
    return open_channel(Destination(kind, Address(url, **address)))


def message(severity: Severity = INFO, text: str = "It works.") -> Message:
    return Message("podinfo", "test", text, FIELDS, severity)


def attachment(colour: str, text: str = "It works.") -> dict[str, Any]:
    return {
        "channel": "dev",
        "username": "bot",
        "icon_url": "",
        "icon_emoji": ":rocket:",
        "attachments": [
            {
                "color": colour,
                "author_name": "podinfo.test",
                "text": text,
                "mrkdwn_in": ["text"],
                "fields": [
                    {"title": "Cluster", "value": "rig", "short": False},
                    {"title": "Target", "value": "Deployment/podinfo.test", "short": False},
                ],
            }
        ],
    }


@pytest.mark.parametrize(
    ("kind", "severity", "colour"),
    [
        ("slack", INFO, "good"),
        ("slack", WARN, "good"),
        ("slack", ERROR, "danger"),
        ("discord", INFO, "good"),
        ("discord", ERROR, "danger"),
        ("rocket", WARN, "#0076D7"),
        ("rocket", ERROR, "#FF0000"),
    ],
)
def test_attachments(kind: str, severity: Severity, colour: str) -> None:
    payload = channel(kind, channel="dev", username="bot").payload(message(severity))
    assert payload == attachment(colour)
    assert list(payload) == list(attachment(colour))
    assert list(payload["attachments"][0]) == list(attachment(colour)["attachments"][0])


def test_names_have_defaults() -> None:
    payload = channel("slack").payload(Message("a", "b", "c", (), INFO))
    assert (payload["channel"], payload["username"]) == ("general", "flagger")
    assert payload["attachments"][0]["fields"] == []


def test_only_slack_sends_its_token() -> None:
    assert channel("slack", token="abc").headers() == {"Authorization": "Bearer abc"}
    assert channel("slack").headers() == {}
    for kind in set(CHANNELS) - {"slack"}:
        assert channel(kind, token="abc").headers() == {}


@pytest.mark.parametrize(("severity", "colour"), [(WARN, "0076D7"), (ERROR, "FF0000")])
def test_msteams(severity: Severity, colour: str) -> None:
    assert channel("msteams").payload(message(severity)) == {
        "@type": "MessageCard",
        "@context": "http://schema.org/extensions",
        "themeColor": colour,
        "summary": "podinfo.test",
        "sections": [
            {
                "activityTitle": "It works.",
                "activitySubtitle": "podinfo.test",
                "facts": [
                    {"name": "Cluster", "value": "rig"},
                    {"name": "Target", "value": "Deployment/podinfo.test"},
                ],
            }
        ],
    }


@pytest.mark.parametrize(
    ("severity", "style"), [(INFO, "emphasis"), (WARN, "warning"), (ERROR, "attention")]
)
def test_msteams_workflows_get_adaptive_cards(severity: Severity, style: str) -> None:
    url = "https://prod-1.westeurope.logic.azure.com/workflows/x"
    payload = channel("msteams", url).payload(message(severity))
    (card,) = payload["attachments"]
    container, facts = card["content"]["body"]
    assert card["contentType"] == "application/vnd.microsoft.card.adaptive"
    assert container["style"] == style
    assert [item["text"] for item in container["items"]] == ["podinfo.test", "It works."]
    assert facts["facts"][0] == {"title": "Cluster", "value": "rig"}


def test_google_chat() -> None:
    payload = channel("gchat").payload(message(ERROR))
    (card,) = payload["cards"]
    assert card["header"] == {
        "title": "Flagger",
        "subtitle": "podinfo.test",
        "imageUrl": "https://flagger.app/favicon.png",
    }
    texts = [part["widgets"][0]["textParagraph"]["text"] for part in card["sections"]]
    assert texts == [
        "<font color=#848484><strong>It works.</strong></font>",
        "Cluster<br><font color=#848484><strong>rig</strong></font>",
        "Target<br><font color=#848484><strong>Deployment/podinfo.test</strong></font>",
    ]


def test_markup_is_escaped_where_the_chat_has_some() -> None:
    odd = message(text='a <b> & "c"')
    slack = channel("slack").payload(odd)["attachments"][0]["text"]
    assert slack == 'a &lt;b&gt; &amp; "c"'
    assert 'a &lt;b&gt; &amp; "c"' in json.dumps(channel("gchat").payload(odd)).replace("\\", "")
    assert channel("discord").payload(odd)["attachments"][0]["text"] == odd.text


@pytest.mark.parametrize(
    ("url", "posted"),
    [
        ("https://h/x", "https://h/x/slack"),
        ("https://h/x/", "https://h/x/slack"),
        ("https://h/x?wait=true", "https://h/x/slack?wait=true"),
        ("https://h/x/slack", "https://h/x/slack"),
        ("https://h/x/slack?thread_id=1", "https://h/x/slack?thread_id=1"),
        ("https://h/x/slack/", "https://h/x/slack/"),
    ],
)
def test_discord_is_used_through_its_slack_address(url: str, posted: str) -> None:
    assert channel("discord", url).url == posted


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("slack", "invalid Slack hook URL"),
        ("discord", "invalid Discord hook URL"),
        ("rocket", "invalid Rocket hook URL"),
        ("msteams", "invalid MS Teams webhook URL"),
        ("gchat", "invalid Google Chat webhook URL"),
    ],
)
@pytest.mark.parametrize("url", ["hidden", "/hidden", "https://h/hidden\n", "http://[hidden"])
def test_bad_addresses_are_not_repeated(kind: str, text: str, url: str) -> None:
    with pytest.raises(ConfigError) as raised:
        channel(kind, url)
    assert str(raised.value) == text


def test_unknown_kinds() -> None:
    with pytest.raises(ConfigError, match=r"^provider irc not supported$"):
        channel("irc")


def test_addresses_stay_out_of_logs() -> None:
    address = Address("https://hooks.test/hidden", token="hidden", proxy="http://a:hidden@b")
    assert "hidden" not in repr(Destination("slack", address))
