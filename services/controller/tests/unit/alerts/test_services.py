"""Every channel against a server that checks what the real one checks."""

from collections.abc import Mapping

import pytest

from flagger_controller.api.alertprovider import CHANNELS
from flagger_controller.api.canary import Canary
from flagger_controller.rollout.decision import Alert, Severity

from .services import SERVICES, Service
from .world import World


def connect(world: World, name: str, service: Service, secret: Mapping[str, str]) -> None:
    path = service.path.partition("?")[0]
    world.server.expect_request(service.listens or path).respond_with_handler(service.judge)
    world.provider(type=name.split()[0], secretRef={"name": "login"}, **(service.spec or {}))
    address = world.server.url_for(service.path)
    world.secrets["default", "login"] = {"address": address, **secret}


def test_there_is_a_server_for_every_channel() -> None:
    assert {name.split()[0] for name in SERVICES} == set(CHANNELS)


@pytest.mark.parametrize("metadata", [True, False])
@pytest.mark.parametrize("name", SERVICES)
async def test_every_severity_is_accepted(
    world: World, routed: Canary, name: str, metadata: bool
) -> None:
    service = SERVICES[name]
    connect(world, name, service, service.secret or {})
    for severity in Severity:
        await world.deliver(routed, Alert("Halt <b> & more", severity, metadata=metadata))
    assert world.told == []
    assert world.counted == [(name.split()[0], True)] * 3
    assert world.waits == []


@pytest.mark.parametrize(
    ("name", "answer"),
    [
        ("slack bot", "refused: invalid_auth"),
        ("webhook", "bad response 401: wrong signature"),
        ("alertmanager", "bad response 401: Unauthorized"),
    ],
)
async def test_without_credentials_the_receiver_says_no(
    world: World, routed: Canary, name: str, answer: str
) -> None:
    connect(world, name, SERVICES[name], {})
    await world.deliver(routed)
    ((_, text),) = world.told
    assert text.endswith(f"postMessage failed: sending notification {answer}")


async def test_a_bot_that_is_not_in_the_channel(world: World, routed: Canary) -> None:
    service = SERVICES["slack bot"]
    connect(world, "slack bot", Service(service.path, service.judge), service.secret or {})
    await world.deliver(routed)
    ((_, text),) = world.told
    assert text.endswith("refused: channel_not_found")
