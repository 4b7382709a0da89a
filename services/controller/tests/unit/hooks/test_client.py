"""What passes, what is repeated, and the texts of failures (webhooks.md sections 5 to 7)."""

import hmac
import re
from datetime import UTC, datetime
from typing import Any

import pytest
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from flagger_controller import net, seats
from flagger_controller.api.canary import Webhook
from flagger_controller.errors import NotFound
from flagger_controller.hooks import client, retries
from flagger_controller.hooks.credentials import Credentials
from flagger_controller.proxies import Proxies
from flagger_controller.rollout.evidence import Answer

PASSED = Answer(ok=True)
NOW = datetime(2026, 11, 24, 6, 40, tzinfo=UTC)


class Gate:
    """A hook, its receiver, and the waits between attempts."""

    def __init__(self, http: net.Http, server: HTTPServer) -> None:
        self.server = server
        self.waits: list[float] = []
        self.secrets: dict[tuple[str, str], dict[str, str]] = {}
        credentials = Credentials(self._secret, lambda: NOW)
        self.client = client.HookClient(http, credentials, sleep=self._sleep, now=lambda: NOW)

    async def _secret(self, namespace: str, name: str) -> dict[str, str]:
        try:
            return self.secrets[namespace, name]
        except KeyError:
            raise NotFound(name) from None

    async def _sleep(self, seconds: float) -> None:
        self.waits.append(seconds)

    def answers(self, *responses: Response) -> None:
        for response in responses:
            self.server.expect_ordered_request("/gate").respond_with_response(response)

    async def call(self, **fields: Any) -> Answer:
        defaults = {"name": "gate", "url": self.server.url_for("/gate")}
        hook = Webhook.model_validate({**defaults, **fields})
        return await self.client.call(hook, b"{}", "shop")

    @property
    def calls(self) -> int:
        return len(self.server.log)


@pytest.fixture
def gate(http: net.Http, httpserver: HTTPServer) -> Gate:
    return Gate(http, httpserver)


def failed(error: str) -> Answer:
    return Answer(ok=False, error=error)


async def test_posts_json(gate: Gate) -> None:
    gate.answers(Response("ignored"))
    assert await gate.call() == PASSED
    request, _ = gate.server.log[0]
    assert request.method == "POST"
    assert request.headers["Content-Type"] == "application/json"
    assert request.data == b"{}"


@pytest.mark.parametrize("status", [200, 201, 202])
async def test_passes(gate: Gate, status: int) -> None:
    gate.answers(Response(status=status))
    assert await gate.call() == PASSED


@pytest.mark.parametrize("status", [203, 205, 206, 207, 300, 400, 403, 404, 409, 418, 501])
async def test_fails_at_once_with_the_body(gate: Gate, status: int) -> None:
    gate.answers(Response("because", status=status))
    assert await gate.call(retries=3) == failed("because")
    assert gate.calls == 1


@pytest.mark.parametrize("status", [204, 304])
async def test_fails_without_a_text(gate: Gate, status: int) -> None:
    gate.answers(Response(status=status))
    assert await gate.call() == failed("")


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504, 599])
async def test_repeats_and_gives_up(gate: Gate, status: int) -> None:
    gate.answers(*[Response(status=status)] * 3)
    url = gate.server.url_for("/gate")
    assert await gate.call(retries=2) == failed(f"POST {url} giving up after 3 attempt(s)")
    assert gate.calls == 3
    assert gate.waits == [1, 2]


async def test_the_body_of_the_last_attempt_follows_upstreams_text(gate: Gate) -> None:
    gate.answers(Response("first", status=500), Response("1 test failed", status=500))
    url = gate.server.url_for("/gate")
    expected = f"POST {url} giving up after 2 attempt(s): 1 test failed"
    assert await gate.call(retries=1) == failed(expected)


async def test_recovers(gate: Gate) -> None:
    gate.answers(Response(status=500), Response(status=429), Response(status=200))
    assert await gate.call(retries=5) == PASSED
    assert gate.waits == [1, 2]


async def test_a_final_answer_ends_the_retries(gate: Gate) -> None:
    gate.answers(Response(status=500), Response("no", status=403))
    assert await gate.call(retries=5) == failed("no")


async def test_negative_retries_are_none(gate: Gate) -> None:
    gate.answers(Response(status=500))
    assert not (await gate.call(retries=-4)).ok
    assert gate.calls == 1


def test_waits_double_up_to_half_a_minute() -> None:
    waits = [retries.wait(attempt, None, NOW) for attempt in (1, 2, 3, 4, 5, 6, 7, 5000)]
    assert waits == [1, 2, 4, 8, 16, 30, 30, 30]


@pytest.mark.parametrize(
    ("status", "header", "wait"),
    [
        (429, "7", 7.0),
        (503, "120", 120.0),
        (503, "Tue, 24 Nov 2026 06:41:30 GMT", 90.0),
        (503, "Tue, 24 Nov 2026 06:00:00 GMT", 0.0),
        (503, "soon", 1.0),
        (503, "-5", 1.0),
        (500, "7", 1.0),
    ],
)
def test_retry_after(status: int, header: str, wait: float) -> None:
    reply = net.Reply(status, headers={"retry-after": header})
    assert retries.wait(1, reply, NOW) == wait


async def test_nobody_listens(gate: Gate, unused_tcp_port: int) -> None:
    url = f"http://127.0.0.1:{unused_tcp_port}/"
    answer = await gate.call(url=url, retries=1)
    assert answer.error.startswith(f"POST {url} giving up after 2 attempt(s): Cannot connect")
    assert gate.waits == [1]


async def test_time_is_up(gate: Gate, silence: str) -> None:
    answer = await gate.call(url=silence, timeout="20ms", retries=1)
    assert answer == failed(
        f"POST {silence} giving up after 2 attempt(s):"
        " context deadline exceeded: no answer within 20ms"
    )


@pytest.mark.parametrize("url", ["ftp://gate.test/", "gate", "http://gate.test/\n"])
async def test_bad_addresses_are_not_tried_again(gate: Gate, url: str) -> None:
    answer = await gate.call(url=url, retries=5)
    assert answer.error.startswith(f"POST {url} giving up after 1 attempt(s): ")
    assert gate.waits == []


async def test_redirects_that_drop_the_body_fail(gate: Gate) -> None:
    gate.answers(Response(status=301, headers={"Location": "https://gate.test/"}))
    answer = await gate.call(retries=5)
    assert re.search(r"giving up after 1 attempt\(s\): redirected with 301", answer.error)


async def test_unverified_certificates(gate: Gate, https: HTTPServer) -> None:
    https.expect_request("/gate").respond_with_data("ok")
    url = https.url_for("/gate")
    answer = await gate.call(url=url, retries=5)
    assert answer.error.startswith(
        f"POST {url} giving up after 1 attempt(s): tls: failed to verify certificate"
    )
    assert await gate.call(url=url, disableTLS=True) == PASSED


async def test_unverified_hooks_are_neighbours_without_a_proxy(httpserver: HTTPServer) -> None:
    httpserver.expect_request("/gate").respond_with_data("proxied")
    async with net.Http(Proxies(http=httpserver.url_for(""))) as http:
        gate = Gate(http, httpserver)
        assert await gate.call(url="http://dead.invalid/gate") == PASSED
        assert not (await gate.call(url="http://dead.invalid/gate", disableTLS=True)).ok
    assert gate.calls == 1


async def test_a_body_that_breaks_off_fails(gate: Gate) -> None:
    cut = Response("short")
    cut.headers["Content-Length"] = "500"
    gate.answers(cut)
    assert (await gate.call()).error.startswith("error reading body: ")


async def test_error_pages_are_cut(gate: Gate) -> None:
    gate.answers(Response("x" * 100_000, status=400))
    error = (await gate.call()).error
    assert len(error.encode()) == client.ERROR_LIMIT
    assert error.endswith("…")


async def test_passwords_in_addresses_are_masked(gate: Gate) -> None:
    gate.answers(Response("no", status=500))
    url = gate.server.url_for("/gate").replace("http://", "http://me:secret@")
    error = (await gate.call(url=url)).error
    assert "secret" not in error
    assert "http://me:xxxxx@" in error


@pytest.mark.parametrize(
    ("kind", "text", "seconds"),
    [
        ("rollout", "", 10.0),
        ("rollout", "5", 10.0),
        ("rollout", "1m30s", 90.0),
        ("rollout", "0s", 0.0),
        ("rollout", "5ms", 0.005),
        ("event", "", 10.0),
        ("event", "3s", 3.0),
    ],
)
def test_timeouts(kind: str, text: str, seconds: float) -> None:
    hook = Webhook.model_validate({"name": "x", "url": "u", "type": kind, "timeout": text})
    assert client.timeout_of(hook) == seconds


@pytest.mark.parametrize(("kind", "text"), [("event", "5"), ("", "10seconds"), ("", "-1s")])
async def test_bad_timeouts_fail_before_any_request(gate: Gate, kind: str, text: str) -> None:
    answer = await gate.call(type=kind, timeout=text)
    assert answer.error.startswith("timeout: ")
    assert f'"{text}"' in answer.error
    assert gate.calls == 0


@pytest.mark.parametrize("status", [200, 202, 203, 204, 299])
async def test_all_of_2xx_is_good_for_events(gate: Gate, status: int) -> None:
    gate.answers(Response(status=status))
    assert await gate.call(type="event") == PASSED


@pytest.mark.parametrize("status", [300, 400, 404, 501])
async def test_nothing_else_is_good_for_events(gate: Gate, status: int) -> None:
    gate.answers(Response("no", status=status))
    assert await gate.call(type="event", retries=1) == failed("no")
    assert gate.calls == 1


async def test_a_tick_leaves_its_seat_while_a_hook_thinks(gate: Gate) -> None:
    """Between attempts too; not one canary must wait for the receiver of another."""
    moves: list[int] = []
    seats.Seat(moves.append).take()
    seen: list[list[int]] = []

    def answer(_: Request) -> Response:
        seen.append([*moves])
        return Response("", 503)

    gate.server.expect_request("/gate").respond_with_handler(answer)
    assert not (await gate.call(retries=1)).ok
    assert (seen, moves) == ([[1], [1]], [1, -1])


# Who calls (sharp edge 21)


LOGIN = {"secretRef": {"name": "caller"}}


async def test_a_hook_without_a_secret_shows_nothing(gate: Gate) -> None:
    gate.answers(Response())
    assert await gate.call() == PASSED
    request, _ = gate.server.log[0]
    assert not {name for name, _ in request.headers} & {"Authorization", "X-Flagger-Signature"}


@pytest.mark.parametrize(
    ("secret", "shown"),
    [
        ({"token": "s3cret\n"}, "Bearer s3cret"),
        ({"username": "me", "password": "s3cret"}, "Basic bWU6czNjcmV0"),
        ({"token": "s3cret", "username": "me"}, "Bearer s3cret"),
    ],
)
async def test_the_controller_identifies_itself(
    gate: Gate, secret: dict[str, str], shown: str
) -> None:
    gate.secrets["shop", "caller"] = secret
    gate.answers(Response())
    assert await gate.call(**LOGIN) == PASSED
    request, _ = gate.server.log[0]
    assert request.headers["Authorization"] == shown


async def test_a_call_is_signed_with_its_time(gate: Gate) -> None:
    """As a receiver would check it, in a few lines of its own."""
    gate.secrets["shop", "caller"] = {"hmacKey": "key"}
    gate.answers(Response())
    assert await gate.call(**LOGIN) == PASSED
    request, _ = gate.server.log[0]
    at = request.headers["X-Flagger-Timestamp"]
    assert at == str(int(NOW.timestamp()))
    signed = hmac.new(b"key", f"{at}.".encode() + request.data, "sha256").hexdigest()
    assert request.headers["X-Flagger-Signature"] == f"sha256={signed}"
    assert "Authorization" not in request.headers


@pytest.mark.parametrize(
    ("secret", "problem"),
    [
        (None, 'secretRef: secrets "caller" not found; create it in namespace shop'),
        (
            {"password": " ", "address": "x"},
            'secretRef: secrets "caller" has none of the keys token, username and password, or '
            "hmacKey",
        ),
    ],
)
async def test_nobody_is_called_without_the_login(
    gate: Gate, secret: dict[str, str] | None, problem: str
) -> None:
    if secret is not None:
        gate.secrets["shop", "caller"] = secret
    assert await gate.call(**LOGIN) == failed(problem)
    assert gate.calls == 0


async def test_what_a_receiver_repeats_is_not_shown(gate: Gate) -> None:
    gate.secrets["shop", "caller"] = {"token": "s3cret", "hmacKey": "k3y"}
    gate.answers(Response("no such token: s3cret (k3y)", 403))
    assert await gate.call(**LOGIN) == failed("no such token: *** (***)")
