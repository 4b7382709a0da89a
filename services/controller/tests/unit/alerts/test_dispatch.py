"""The way of an alert to its receivers, and what goes wrong on it (alerting.md 3, 4 and 6)."""

import asyncio
import logging
from collections.abc import Mapping
from typing import Any

import pytest
from pytest_httpserver import HTTPServer
from werkzeug import Response

from flagger_controller import net
from flagger_controller.alerts.base import Address
from flagger_controller.alerts.dispatch import (
    Destination,
    Dispatcher,
    Lookups,
    Settings,
    choose_notifier,
)
from flagger_controller.api.alertprovider import AlertProvider
from flagger_controller.api.canary import Canary
from flagger_controller.errors import NotFound, Retriable
from flagger_controller.outbox import Outbox
from flagger_controller.rollout.decision import Alert, Severity

from .conftest import Build

ALERT = Alert("Something happened.", Severity.ERROR)
PREFIX = "alert provider chat.default "
POST = "postMessage failed: sending notification "


class World:
    """AlertProviders, Secrets, a receiver, and a dispatcher that knows them."""

    def __init__(self, http: net.Http, server: HTTPServer) -> None:
        self._http = http
        self.server = server
        self.providers: dict[tuple[str, str], AlertProvider] = {}
        self.secrets: dict[tuple[str, str], Mapping[str, str]] = {}
        self.settings: dict[str, Any] = {}
        self.outbox = Outbox(capacity=1)
        self.waits: list[float] = []
        self.counted: list[tuple[str, bool]] = []

    def provider(self, namespace: str = "default", name: str = "chat", **spec: Any) -> None:
        body = {"metadata": {"name": name}, "spec": {"type": "slack", **spec}}
        self.providers[namespace, name] = AlertProvider.model_validate(body)

    def answers(self, *responses: Response) -> str:
        for response in responses:
            self.server.expect_ordered_request("/hook").respond_with_response(response)
        return self.server.url_for("/hook")

    @property
    def posted(self) -> list[Any]:
        return [request.get_json() for request, _ in self.server.log]

    @property
    def dispatcher(self) -> Dispatcher:
        async def provider(namespace: str, name: str) -> AlertProvider:
            if (namespace, name) not in self.providers:
                raise NotFound("not in the watch cache")
            return self.providers[namespace, name]

        async def secret(namespace: str, name: str) -> Mapping[str, str]:
            if (namespace, name) not in self.secrets:
                raise NotFound("not in the watch cache")
            return self.secrets[namespace, name]

        async def sleep(seconds: float) -> None:
            self.waits.append(seconds)

        return Dispatcher(
            self._http,
            self.outbox,
            Lookups(provider, secret),
            Settings(**self.settings),
            sleep=sleep,
            counted=lambda kind, sent: self.counted.append((kind, sent)),
        )

    async def deliver(self, canary: Canary, alert: Alert = ALERT) -> None:
        await self.dispatcher.deliver(canary, alert)


@pytest.fixture
def world(http: net.Http, httpserver: HTTPServer) -> World:
    return World(http, httpserver)


@pytest.fixture
def told(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    caplog.set_level(logging.WARNING)
    return caplog


@pytest.fixture
def routed(canary: Build) -> Canary:
    return canary(alerts=[{"name": "x", "providerRef": {"name": "chat"}}])


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


async def test_every_route_in_order(world: World, canary: Build) -> None:
    url = world.answers(Response("ok"), Response("ok"))
    for name in ("one", "two", "three"):
        world.provider(name=name, address=url, channel=name)
    alerts = [
        {"name": name, "severity": severity, "providerRef": {"name": name}}
        for name, severity in (("one", "warn"), ("two", "error"), ("three", ""))
    ]
    await world.deliver(canary(alerts=alerts), Alert("x", Severity.WARN))
    assert [payload["channel"] for payload in world.posted] == ["one", "three"]


async def test_a_broken_route_does_not_stop_the_next(
    world: World, canary: Build, told: pytest.LogCaptureFixture
) -> None:
    world.provider(address=world.answers(Response("ok")))
    alerts = [{"name": name, "providerRef": {"name": name}} for name in ("gone", "chat")]
    await world.deliver(canary(alerts=alerts))
    assert len(world.posted) == 1
    assert told.messages == [
        'alert provider gone.default error: alertprovider.flagger.app "gone" not found'
    ]
    assert told.records[0].__dict__["canary"] == "podinfo.default"
    assert told.records[0].levelname == "ERROR"


async def test_the_secret_has_address_and_token(world: World, routed: Canary) -> None:
    world.provider(address="http://unused.invalid", secretRef={"name": "login"})
    url = world.answers(Response("ok"))
    world.secrets["default", "login"] = {"address": f"{url}\n", "token": "abc\n"}
    await world.deliver(routed)
    assert world.server.log[0][0].headers["Authorization"] == "Bearer abc"


async def test_a_provider_of_another_namespace(
    world: World, canary: Build, told: pytest.LogCaptureFixture
) -> None:
    world.provider("shared", secretRef={"name": "login"})
    world.secrets["shared", "login"] = {"address": world.answers(Response("ok"))}
    reference = {"name": "chat", "namespace": "shared"}
    built = canary(alerts=[{"name": "x", "providerRef": reference}])
    await world.deliver(built)
    assert len(world.posted) == 1
    world.settings["cross_namespace"] = False
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
async def test_problems_are_logged(
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


async def test_lookups_can_be_out_of_order(
    http: net.Http, routed: Canary, told: pytest.LogCaptureFixture
) -> None:
    async def broken(*_: str) -> Any:
        raise Retriable("API server is busy")

    dispatcher = Dispatcher(http, Outbox(), Lookups(broken, broken), Settings())
    await dispatcher.deliver(routed, ALERT)
    assert told.messages == [f"{PREFIX}error: API server is busy"]


@pytest.mark.parametrize("status", [200, 202, 204, 299])
async def test_every_success_is_one(
    world: World, routed: Canary, told: pytest.LogCaptureFixture, status: int
) -> None:
    world.provider(address=world.answers(Response(status=status)))
    await world.deliver(routed)
    assert told.messages == []


@pytest.mark.parametrize("status", [302, 400, 404])
async def test_refusals_are_final(
    world: World, routed: Canary, told: pytest.LogCaptureFixture, status: int
) -> None:
    world.provider(address=world.answers(Response("no", status=status)))
    await world.deliver(routed)
    assert told.messages == [f"{PREFIX}send error: {POST}bad response {status}: no"]
    assert world.waits == []
    assert world.counted == [("slack", False)]


@pytest.mark.parametrize("status", [429, 500, 503])
async def test_retries_with_growing_waits(
    world: World, routed: Canary, told: pytest.LogCaptureFixture, status: int
) -> None:
    world.provider(address=world.answers(*[Response("busy", status=status)] * 5))
    await world.deliver(routed)
    assert world.waits == [1, 2, 4, 8]
    assert told.messages == [f"{PREFIX}send error: {POST}bad response {status}: busy"]


async def test_recovers(world: World, routed: Canary, told: pytest.LogCaptureFixture) -> None:
    later = Response(status=429, headers={"Retry-After": "30"})
    much_later = Response(status=429, headers={"Retry-After": "9999"})
    world.provider(address=world.answers(later, much_later, Response("ok")))
    await world.deliver(routed)
    assert world.waits == [30, 60]
    assert world.counted == [("slack", True)]
    assert told.messages == []


async def test_slack_refuses_in_its_body(
    world: World, routed: Canary, told: pytest.LogCaptureFixture
) -> None:
    refused = Response('{"ok": false, "error": "not_in_channel"}')
    world.provider(address=world.answers(refused))
    await world.deliver(routed)
    assert told.messages == [f"{PREFIX}send error: {POST}refused: not_in_channel"]
    assert world.waits == []


async def test_slack_limits_the_rate_in_its_body(world: World, routed: Canary) -> None:
    limited = Response('{"ok": false, "error": "ratelimited"}', headers={"Retry-After": "5"})
    world.provider(address=world.answers(limited, Response('{"ok": true}')))
    await world.deliver(routed)
    assert world.waits == [5]
    assert world.counted == [("slack", True)]


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


async def test_own_routes_switch_the_global_notifier_off(world: World, canary: Build) -> None:
    world.settings["notifier"] = Destination("slack", Address("http://unused.invalid"))
    alerts = [{"name": "x", "severity": "error", "providerRef": {"name": "chat"}}]
    await world.deliver(canary(alerts=alerts), Alert("x", Severity.INFO))
    assert world.counted == []


async def test_secrets_stay_out_of_logs(
    world: World, routed: Canary, told: pytest.LogCaptureFixture, unused_tcp_port: int
) -> None:
    told.set_level(logging.DEBUG, logger="flagger_controller")
    url = world.answers(Response("no: Bearer hidden-token", status=400))
    world.provider(
        secretRef={"name": "login"}, proxy=f"http://p:hidden-proxy@127.0.0.1:{unused_tcp_port}"
    )
    world.secrets["default", "login"] = {"address": f"{url}?hidden-path", "token": "hidden-token"}
    await world.deliver(routed)
    world.provider(secretRef={"name": "login"})
    await world.deliver(routed)
    moved = Response(status=302, headers={"Location": "https://chat.test/hidden-path"})
    world.answers(moved)
    await world.deliver(routed)
    ours = [each.getMessage() for each in told.records if each.name.startswith("flagger")]
    assert len(ours) == 3
    assert "hidden" not in "".join(ours)


async def test_sending_returns_at_once(
    world: World, routed: Canary, told: pytest.LogCaptureFixture
) -> None:
    world.provider(address=world.answers(Response("ok")))
    dispatcher = world.dispatcher
    dispatcher.send(routed, ALERT)
    dispatcher.send(routed, Alert("lost", Severity.INFO))
    assert told.messages == ["alert dropped, too many are waiting: lost"]
    running = asyncio.create_task(world.outbox.run())
    assert await world.outbox.drain(60) == 0
    assert len(world.posted) == 1
    running.cancel()
    await asyncio.wait([running])


def test_one_global_notifier(told: pytest.LogCaptureFixture) -> None:
    slack, teams, none = Address("http://slack.test"), Address("http://teams.test"), Address("")
    assert choose_notifier(None, None) is None
    assert choose_notifier(none, none) is None
    assert choose_notifier(slack, None) == Destination("slack", slack)
    assert choose_notifier(slack, none) == Destination("slack", slack)
    assert told.messages == []
    assert choose_notifier(slack, teams) == Destination("msteams", teams)
    assert "both configured" in told.text
