"""Messages in a provider's own words."""

import pytest
from werkzeug import Response

from flagger_controller.api.canary import Canary
from flagger_controller.rollout.decision import Alert, Severity

from .world import World


async def said(world: World, canary: Canary, template: str) -> str:
    world.provider(address=world.answers(Response("ok")), messageTemplate=template)
    await world.deliver(canary, Alert("Failed checks threshold reached 2", Severity.ERROR))
    return str(world.posted[-1]["attachments"][0]["text"])


@pytest.mark.parametrize(
    ("template", "text"),
    [
        ("", "Failed checks threshold reached 2"),
        ("{{ message }}", "Failed checks threshold reached 2"),
        ("{{ name }}.{{ namespace }} ({{ severity }})", "podinfo.default (error)"),
        ('{{ if eq severity "error" }}@here {{ end }}{{ target }}', "@here target"),
        ('{{ if eq severity "info" }}x{{ end }}', "Failed checks threshold reached 2"),
    ],
)
async def test_the_text_is_the_templates(
    world: World, routed: Canary, template: str, text: str
) -> None:
    assert await said(world, routed, template) == text
    assert world.told == []


@pytest.mark.parametrize(
    ("template", "cause"),
    [
        ("{{ message", "unclosed action"),
        ("{{ password }}", 'function "password" not defined'),
        ("{{ index name 99 }}", "index out of range: 99"),
    ],
)
async def test_a_bad_template_is_named_and_loses_nothing(
    world: World, routed: Canary, told: pytest.LogCaptureFixture, template: str, cause: str
) -> None:
    assert await said(world, routed, template) == "Failed checks threshold reached 2"
    ((key, event),) = world.told
    assert key == "podinfo.default"
    assert event.startswith(
        "alert provider chat.default messageTemplate error: template: line 1, column "
    )
    assert cause in event
    assert event.endswith("with its usual text; correct spec.messageTemplate")
    assert told.messages == [event]
    assert world.counted == [("slack", True)]
