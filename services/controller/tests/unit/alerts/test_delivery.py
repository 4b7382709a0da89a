"""What counts as delivered, and when it is tried again (alerting.md sections 6 and 14)."""

import logging
from typing import Any

import pytest
from werkzeug import Response

from flagger_controller.api.canary import Canary

from .world import World

PREFIX = "alert provider chat.default "
POST = "postMessage failed: sending notification "


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


async def test_what_others_say_in_their_body_is_their_business(
    world: World, routed: Canary
) -> None:
    world.provider(type="rocket", address=world.answers(Response('{"ok": false}')))
    await world.deliver(routed)
    assert world.counted == [("rocket", True)]


async def test_the_secret_has_address_and_credentials(world: World, routed: Canary) -> None:
    spec: dict[str, Any] = {
        "address": "http://unused.invalid",
        "secretRef": {"name": "login"},
    }
    url = world.answers(Response("ok"), Response("ok"))
    world.provider(**spec)
    world.secrets["default", "login"] = {"address": f"{url}\n", "token": "abc\n"}
    await world.deliver(routed)
    world.provider(type="webhook", **spec)
    world.secrets["default", "login"] = {"address": url, "username": "u", "password": "p\n"}
    await world.deliver(routed)
    headers = [request.headers["Authorization"] for request, _ in world.server.log]
    assert headers == ["Bearer abc", "Basic dTpw"]


async def test_a_changed_secret_counts_from_the_next_alert(world: World, routed: Canary) -> None:
    world.provider(secretRef={"name": "login"})
    for token in ("old", "new"):
        url = world.answers(Response("ok"))
        world.secrets["default", "login"] = {"address": url, "token": token}
        await world.deliver(routed)
    headers = [request.headers["Authorization"] for request, _ in world.server.log]
    assert headers == ["Bearer old", "Bearer new"]


async def test_further_headers(world: World, routed: Canary) -> None:
    headers = {"X-Team": ["a", "b"]}
    world.provider(type="rocket", address=world.answers(Response("ok")), headers=headers)
    await world.deliver(routed)
    assert world.server.log[0][0].headers["X-Team"] == "a,b"


@pytest.mark.parametrize("scheme", ["http://", ""])
async def test_a_proxy_of_the_provider(world: World, routed: Canary, scheme: str) -> None:
    proxy = world.server.url_for("").removeprefix("http://")
    world.server.expect_request("/hook").respond_with_data("ok")
    world.provider(address="http://chat.invalid/hook", proxy=f"{scheme}{proxy}")
    await world.deliver(routed)
    assert world.counted == [("slack", True)]
    assert world.server.log[0][0].host == "chat.invalid"


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


@pytest.mark.parametrize("part", ["T000/B000/hidden-part", "hook?key=hidden-part"])
async def test_parts_of_an_address_are_secrets_too(
    world: World, routed: Canary, told: pytest.LogCaptureFixture, part: str
) -> None:
    echo = Response("nothing at hidden-part", status=404)
    world.server.expect_request(f"/{part.partition('?')[0]}").respond_with_response(echo)
    world.provider(address=world.server.url_for(f"/{part}"))
    await world.deliver(routed)
    assert told.messages == [f"{PREFIX}send error: {POST}bad response 404: nothing at ***"]
