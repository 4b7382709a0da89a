"""What the chats of upstream receive (alerting.md sections 5, 7 and 14)."""

import json
from typing import Any

import pytest

from flagger_controller.alerts.base import Address
from flagger_controller.alerts.providers import Destination
from flagger_controller.api.alertprovider import CHANNELS
from flagger_controller.errors import ConfigError
from flagger_controller.rollout.decision import Severity

from .messages import ERROR, INFO, WARN, message, payload, posted


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
    ("kind", "colours"),
    [
        ("slack", ["good", "warning", "danger"]),
        ("discord", ["good", "warning", "danger"]),
        ("rocket", ["#0076D7", "#FFA500", "#FF0000"]),
    ],
)
def test_attachments(kind: str, colours: list[str]) -> None:
    for severity, colour in zip(Severity, colours, strict=True):
        found = payload(kind, message(severity), channel="dev", username="bot")
        assert found == attachment(colour)
        assert list(found) == list(attachment(colour))
        assert list(found["attachments"][0]) == list(attachment(colour)["attachments"][0])


def test_names_have_defaults() -> None:
    found = payload("slack", message(fields=()))
    assert (found["channel"], found["username"]) == ("general", "flagger")
    assert found["attachments"][0]["fields"] == []


def test_of_the_chats_only_slack_sends_its_token() -> None:
    assert posted("slack", token="abc").headers == (("Authorization", "Bearer abc"),)
    assert posted("slack").headers == ()
    for kind in ("msteams", "discord", "rocket", "gchat"):
        assert posted(kind, token="abc").headers == ()


@pytest.mark.parametrize(
    ("severity", "colour"), [(INFO, "0076D7"), (WARN, "FFA500"), (ERROR, "FF0000")]
)
def test_msteams(severity: Severity, colour: str) -> None:
    assert payload("msteams", message(severity)) == {
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
    found = payload("msteams", message(severity), url)
    (card,) = found["attachments"]
    container, facts = card["content"]["body"]
    assert found["type"] == "message"
    assert card["contentType"] == "application/vnd.microsoft.card.adaptive"
    assert card["content"]["type"] == "AdaptiveCard"
    assert container["style"] == style
    assert [item["text"] for item in container["items"]] == ["podinfo.test", "It works."]
    assert facts["facts"][0] == {"title": "Cluster", "value": "rig"}


@pytest.mark.parametrize(
    ("host", "card", "adaptive"),
    [
        ("x.logic.azure.com", "", True),
        ("default1.environment.api.powerplatform.com", "", True),
        ("corp.webhook.office.com", "", False),
        ("relay.test", "", False),
        ("relay.test", "adaptive", True),
        ("x.logic.azure.com", "message", False),
    ],
)
def test_the_provider_can_choose_the_card(host: str, card: str, adaptive: bool) -> None:
    found = payload("msteams", message(), f"https://{host}/hook", card=card)
    assert ("attachments" in found) == adaptive


def test_google_chat() -> None:
    (card,) = payload("gchat")["cards"]
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


@pytest.mark.parametrize(
    ("severity", "title"), [(WARN, "Flagger: warning"), (ERROR, "Flagger: error")]
)
def test_google_chat_has_no_colours_so_a_word_tells(severity: Severity, title: str) -> None:
    (card,) = payload("gchat", message(severity))["cards"]
    assert card["header"]["title"] == title


def test_markup_is_escaped_where_the_chat_has_some() -> None:
    odd = message(text='a <b> & "c"')
    slack = payload("slack", odd)["attachments"][0]["text"]
    assert slack == 'a &lt;b&gt; &amp; "c"'
    assert 'a &lt;b&gt; &amp; "c"' in json.dumps(payload("gchat", odd)).replace("\\", "")
    assert payload("discord", odd)["attachments"][0]["text"] == odd.text


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://h/x", "https://h/x/slack"),
        ("https://h/x/", "https://h/x/slack"),
        ("https://h/x?wait=true", "https://h/x/slack?wait=true"),
        ("https://h/x/slack", "https://h/x/slack"),
        ("https://h/x/slack?thread_id=1", "https://h/x/slack?thread_id=1"),
        ("https://h/x/slack/", "https://h/x/slack/"),
    ],
)
def test_discord_is_used_through_its_slack_address(url: str, expected: str) -> None:
    assert posted("discord", url=url).url == expected


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("slack", "invalid Slack hook URL"),
        ("discord", "invalid Discord hook URL"),
        ("rocket", "invalid Rocket hook URL"),
        ("msteams", "invalid MS Teams webhook URL"),
        ("gchat", "invalid Google Chat webhook URL"),
        ("webhook", "invalid webhook URL"),
        ("alertmanager", "invalid Alertmanager URL"),
    ],
)
@pytest.mark.parametrize("url", ["hidden", "/hidden", "https://h/hidden\n", "http://[hidden"])
def test_bad_addresses_are_not_repeated(kind: str, text: str, url: str) -> None:
    with pytest.raises(ConfigError) as raised:
        posted(kind, url=url)
    assert str(raised.value) == text


def test_unknown_kinds() -> None:
    with pytest.raises(ConfigError, match=r"^provider irc not supported$"):
        posted("irc")


@pytest.mark.parametrize("kind", CHANNELS)
def test_secrets_stay_out_of_what_is_printed(kind: str) -> None:
    url = "https://hooks.test/hidden"
    secrets: dict[str, Any] = dict.fromkeys(("token", "login", "key", "proxy"), "hidden")
    address = Address(url, headers=(("X-Key", "hidden"),), **secrets)
    assert "hidden" not in repr(Destination(kind, address))
    assert "hidden" not in repr(posted(kind, url=url, headers=address.headers, **secrets))
