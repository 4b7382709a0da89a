"""Receivers behind an authority of one's own: trusted for that receiver, whatever the channel."""

import ssl
from collections.abc import Iterator

import pytest
import trustme
from pytest_httpserver import HTTPServer
from werkzeug import Response

from flagger_controller import net
from flagger_controller.api.alertprovider import CHANNELS
from flagger_controller.api.canary import Canary

from .world import World

HANDSHAKE = "tls: failed to verify certificate"


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    """Nobody trusts it."""
    return trustme.CA()


@pytest.fixture
def secure(http: net.Http, authority: trustme.CA) -> Iterator[World]:
    """A world whose receiver shows a certificate of that authority."""
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1", "localhost").configure_cert(tls)
    with HTTPServer(ssl_context=tls) as server:
        yield World(http, server)


def connect(world: World, kind: str, secret: dict[str, str]) -> None:
    world.provider(type=kind, secretRef={"name": "login"})
    world.secrets["default", "login"] = {"address": world.server.url_for("/hook"), **secret}


@pytest.mark.parametrize("kind", CHANNELS)
async def test_the_authority_of_the_secret_is_trusted(
    secure: World, routed: Canary, authority: trustme.CA, kind: str
) -> None:
    secure.server.expect_request("").respond_with_data("ok")
    secure.server.no_handler_status_code = 200
    connect(secure, kind, {"ca.crt": authority.cert_pem.bytes().decode()})
    await secure.deliver(routed)
    assert secure.told == []
    assert secure.counted == [(kind, True)]
    assert len(secure.server.log) == 1


@pytest.mark.parametrize("secret", [{}, {"ca.crt": trustme.CA().cert_pem.bytes().decode()}])
async def test_anybody_else_is_refused(
    secure: World, routed: Canary, secret: dict[str, str]
) -> None:
    connect(secure, "webhook", secret)
    await secure.deliver(routed)
    ((_, text),) = secure.told
    assert text.startswith("alert provider chat.default send error: postMessage failed: ")
    assert HANDSHAKE in text
    assert secure.waits == [], "the same call would fail again"
    assert secure.server.log == []


@pytest.mark.parametrize("text", ["nonsense", "", "-----BEGIN CERTIFICATE-----\n"])
async def test_what_is_no_certificate_is_told_and_nothing_is_sent(
    secure: World, routed: Canary, text: str
) -> None:
    secure.answers(Response("ok"))
    connect(secure, "webhook", {"ca.crt": text})
    await secure.deliver(routed)
    told = 'alert provider chat.default secretRef error: secrets "login": the certificates to trust'
    assert secure.told == [
        (
            "podinfo.default",
            f"{told} (ca.crt) are not PEM; put the certificates of the receiver's authority"
            " under the key ca.crt, or remove the key to trust the system's",
        )
    ]
    assert secure.server.log == []
