"""The way of an alert to its receivers, and what goes wrong on it (alerting.md 3, 4 and 6)."""

import asyncio
import logging
from typing import Any

import pytest
from werkzeug import Request, Response

from flagger_controller.alerts import dispatch
from flagger_controller.alerts.base import Address
from flagger_controller.alerts.providers import Destination
from flagger_controller.api.canary import Canary
from flagger_controller.errors import Retriable
from flagger_controller.outbox import Outbox
from flagger_controller.rollout.decision import Alert, Severity

from .conftest import Build
from .world import ALERT, World

PREFIX = "alert provider chat.default "
POST = "postMessage failed: sending notification "


async def test_posts_json(world: World, routed: Canary, told: pytest.LogCaptureFixture) -> None:
    world.provider(address=world.answers(Response("ok")), channel="dev", username="bot")
    world.settings["cluster"] = "rig"
    await world.deliver(routed)
    (payload,) = world.posted
    assert (payload["channel"], payload["username"]) == ("dev", "bot")
    assert payload["attachments"][0]["fields"][0]["value"] == "rig"
    assert world.server.log[0][0].headers["Content-Type"] == "application/json"
    assert world.counted == [("slack", True)]
    assert told.messages == []


async def test_everybody_who_wants_it(world: World, canary: Build) -> None:
    url = world.answers(Response("ok"), Response("ok"))
    for name in ("one", "two", "three"):
        world.provider(name=name, address=url, channel=name)
    alerts = [
        {"name": name, "severity": severity, "providerRef": {"name": name}}
        for name, severity in (("one", "warn"), ("two", "error"), ("three", ""))
    ]
    await world.deliver(canary(alerts=alerts), Alert("x", Severity.WARN))
    assert sorted(payload["channel"] for payload in world.posted) == ["one", "three"]


async def test_a_receiver_hears_of_a_canary_in_order(world: World, routed: Canary) -> None:
    busy = Response("busy", status=503)
    world.provider(address=world.answers(busy, busy, Response("ok"), Response("ok")))
    world.dispatcher.send(routed, Alert("first", Severity.INFO))
    await world.deliver(routed, Alert("second", Severity.INFO))
    texts = [payload["attachments"][0]["text"] for payload in world.posted]
    assert texts == ["first", "first", "first", "second"]


async def test_nobody_waits_for_a_receiver_that_is_down(world: World, canary: Build) -> None:
    heard = asyncio.Event()
    loop = asyncio.get_running_loop()

    def answer(_: Request) -> Response:
        loop.call_soon_threadsafe(heard.set)
        return Response("ok")

    world.server.expect_request("/quick").respond_with_handler(answer)
    world.provider(name="quick", address=world.server.url_for("/quick"))
    world.provider(name="down", secretRef={"name": "slow"})
    world.slow.add(("default", "slow"))
    alerts = [{"name": name, "providerRef": {"name": name}} for name in ("down", "quick")]
    world.dispatcher.send(canary(alerts=alerts), ALERT)
    running = asyncio.create_task(world.outbox.run())
    await heard.wait()
    running.cancel()
    await asyncio.wait([running])


async def test_a_broken_route_does_not_stop_the_next(
    world: World, canary: Build, told: pytest.LogCaptureFixture
) -> None:
    world.provider(address=world.answers(Response("ok")))
    alerts = [{"name": name, "providerRef": {"name": name}} for name in ("gone", "chat")]
    await world.deliver(canary(alerts=alerts))
    assert len(world.posted) == 1
    text = 'alert provider gone.default error: alertprovider.flagger.app "gone" not found'
    assert told.messages == [text]
    assert told.records[0].__dict__["canary"] == "podinfo.default"
    assert told.records[0].levelname == "ERROR"
    assert world.told == [("podinfo.default", text)]


async def test_a_provider_of_another_namespace(
    world: World, canary: Build, told: pytest.LogCaptureFixture
) -> None:
    world.provider("shared", secretRef={"name": "login"})
    world.secrets["shared", "login"] = {"address": world.answers(Response("ok"))}
    reference = {"name": "chat", "namespace": "shared"}
    built = canary(alerts=[{"name": "x", "providerRef": reference}])
    await world.deliver(built)
    assert len(world.posted) == 1
    world.cross_namespace = False
    await world.deliver(built)
    assert told.messages == [
        "alert provider chat.shared error: can't access alert provider chat.shared,"
        " cross-namespace references are blocked"
    ]


@pytest.mark.parametrize(
    ("spec", "secret", "text"),
    [
        ({"secretRef": {"name": "login"}}, None, 'secretRef error: secrets "login" not found'),
        ({"secretRef": {"name": "login"}}, {}, "secret does not contain an address"),
        ({}, None, "error: the address is empty"),
        ({"secretRef": {"name": "login"}}, {"address": ""}, "error: the address is empty"),
        ({"address": "x", "type": "irc"}, None, "error: provider irc not supported"),
        ({"address": "x"}, None, "error: invalid Slack hook URL"),
        (
            {"address": "http://chat.test", "proxy": "socks5://p"},
            None,
            f"send error: {POST}failed to send: proxies of the kind socks5 are not supported:"
            " use an HTTP proxy",
        ),
    ],
)
async def test_problems_are_told(
    world: World,
    routed: Canary,
    told: pytest.LogCaptureFixture,
    spec: dict[str, Any],
    secret: dict[str, str] | None,
    text: str,
) -> None:
    world.provider(**spec)
    if secret is not None:
        world.secrets["default", "login"] = secret
    await world.deliver(routed)
    assert told.messages == [PREFIX + text]
    assert world.told == [("podinfo.default", PREFIX + text)]
    assert [sent for _, sent in world.counted] == [False]


async def test_lookups_can_be_out_of_order(
    world: World, routed: Canary, told: pytest.LogCaptureFixture
) -> None:
    world.broken = Retriable("API server is busy")
    await world.deliver(routed)
    assert told.messages == [f"{PREFIX}error: API server is busy"]


async def test_the_global_notifier(
    world: World, canary: Build, told: pytest.LogCaptureFixture
) -> None:
    await world.deliver(canary())
    url = world.answers(Response("ok"), Response("no", status=400))
    world.settings["notifier"] = Destination("msteams", Address(url))
    await world.deliver(canary())
    assert world.posted[0]["@type"] == "MessageCard"
    await world.deliver(canary())
    assert told.messages == [f"alert can't be sent: {POST}bad response 400: no"]
    assert world.told == [("podinfo.default", told.messages[0])]


async def test_own_routes_switch_the_global_notifier_off(world: World, canary: Build) -> None:
    world.settings["notifier"] = Destination("slack", Address("http://unused.invalid"))
    alerts = [{"name": "x", "severity": "error", "providerRef": {"name": "chat"}}]
    await world.deliver(canary(alerts=alerts), Alert("x", Severity.INFO))
    assert world.counted == []


async def test_sending_returns_at_once(
    world: World, routed: Canary, told: pytest.LogCaptureFixture
) -> None:
    world.outbox = Outbox(capacity=1)
    world.provider(address=world.answers(Response("ok")))
    dispatcher = world.dispatcher
    dispatcher.send(routed, ALERT)
    dispatcher.send(routed, Alert("lost", Severity.INFO))
    assert told.messages == ["alert dropped, too many are waiting: lost"]
    assert world.told == [("podinfo.default", told.messages[0])]
    assert world.counted == [("unknown", False)]
    running = asyncio.create_task(world.outbox.run())
    assert await world.outbox.drain(60) == 0
    assert len(world.posted) == 1
    running.cancel()
    await asyncio.wait([running])


def test_one_global_notifier(told: pytest.LogCaptureFixture) -> None:
    slack, teams, none = Address("http://slack.test"), Address("http://teams.test"), Address("")
    assert dispatch.choose_notifier(none, none) is None
    assert dispatch.choose_notifier(slack, none) == Destination("slack", slack)
    assert told.messages == []
    assert dispatch.choose_notifier(slack, teams) == Destination("msteams", teams)
    assert "both configured" in told.text


def test_the_global_notifier_is_checked_at_the_start(told: pytest.LogCaptureFixture) -> None:
    told.set_level(logging.INFO)
    good = Destination("slack", Address("https://hooks.slack.test/services/hidden", token="hidden"))
    assert dispatch.checked(good) is good
    assert dispatch.checked(Destination("slack", Address("hidden"))) is None
    assert told.messages == [
        "Notifications enabled for https://hooks.slack.test",
        "Notifier invalid Slack hook URL",
    ]
