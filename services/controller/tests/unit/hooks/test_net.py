"""The outbound client: deadlines, limits, redirects, proxies, TLS, and texts without secrets."""

import asyncio
from typing import Any

import pytest
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response
from yarl import URL

from flagger_common.version import __version__
from flagger_controller import net
from flagger_controller.proxies import Proxies

from .conftest import Keeping


def get(url: str, **options: Any) -> net.Request:
    return net.Request("GET", url, **options)


def post(url: str, **options: Any) -> net.Request:
    return net.Request("POST", url, body=b"payload", **options)


async def test_sends_and_reads(http: net.Http, httpserver: HTTPServer) -> None:
    httpserver.expect_request("/x").respond_with_data("gone", status=410)
    reply = await http.call(post(httpserver.url_for("/x"), headers=(("X-A", "1"), ("X-A", "2"))))
    assert (reply.status, reply.reason, reply.text) == (410, "GONE", "gone")
    request, _ = httpserver.log[0]
    assert request.headers["User-Agent"] == f"flagger/{__version__}"
    assert request.headers["X-A"] == "1,2"
    assert request.data == b"payload"


async def test_reads_share_a_connection(http: net.Http, keeping: Keeping) -> None:
    for _ in range(3):
        assert (await http.call(get(keeping.url, body=b"payload"))).text == "ok"
    assert keeping.opened == 1


async def test_hooks_leave_no_connection_behind(http: net.Http, keeping: Keeping) -> None:
    for number in range(3):
        assert (await http.call(post(keeping.url))).text == "ok"
        assert keeping.opened == number + 1
        async with asyncio.timeout(5):
            await keeping.left.wait()


async def test_cuts_long_answers(http: net.Http, httpserver: HTTPServer) -> None:
    httpserver.expect_request("/x").respond_with_data("y" * 5000)
    reply = await http.call(get(httpserver.url_for("/x"), limit=100))
    assert reply.body == b"y" * 100
    assert not reply.complete


async def test_gives_up_at_the_deadline(http: net.Http, silence: str) -> None:
    with pytest.raises(net.Unreachable, match="context deadline exceeded: no answer within 20ms"):
        await http.call(get(silence, timeout=0.02))


async def test_zero_means_no_deadline(http: net.Http, httpserver: HTTPServer) -> None:
    httpserver.expect_request("/x").respond_with_data("ok")
    assert (await http.call(get(httpserver.url_for("/x"), timeout=0))).text == "ok"


async def test_says_when_the_body_breaks_off(http: net.Http, httpserver: HTTPServer) -> None:
    cut = Response("short")
    cut.headers["Content-Length"] = "500"
    httpserver.expect_request("/x").respond_with_response(cut)
    reply = await http.call(get(httpserver.url_for("/x"), timeout=5))
    assert reply.status == 200
    assert reply.broken


@pytest.mark.parametrize(
    ("url", "cause"),
    [
        ("ftp://host/", 'unsupported protocol scheme "ftp"'),
        ("prometheus:9090", 'unsupported protocol scheme "prometheus"'),
        ("host", 'unsupported protocol scheme ""'),
        ("http://host/\n", "invalid control character in URL"),
        ("http://host:99999/", "the address or a header is not valid"),
        ("http:///path", "no Host in request URL"),
    ],
)
async def test_refuses_bad_addresses(http: net.Http, url: str, cause: str) -> None:
    with pytest.raises(net.Unusable) as raised:
        await http.call(get(url))
    assert cause in str(raised.value)


async def test_refuses_bad_headers(http: net.Http) -> None:
    with pytest.raises(net.Unusable, match=r'^net/http: invalid header .* for "Authorization"$'):
        await http.call(get("http://127.0.0.1/", headers=(("Authorization", "secret\n"),)))


async def test_nobody_listens(http: net.Http, unused_tcp_port: int) -> None:
    with pytest.raises(net.Unreachable, match="Cannot connect"):
        await http.call(get(f"http://127.0.0.1:{unused_tcp_port}/"))


@pytest.mark.parametrize("status", [307, 308])
async def test_follows_redirects_that_keep_the_body(
    http: net.Http, httpserver: HTTPServer, status: int
) -> None:
    moved = Response(status=status, headers={"Location": "/new"})
    httpserver.expect_request("/old").respond_with_response(moved)
    httpserver.expect_request("/new", method="POST", data="payload").respond_with_data("ok")
    assert (await http.call(post(httpserver.url_for("/old")))).text == "ok"


@pytest.mark.parametrize("status", [301, 302, 303])
async def test_does_not_follow_redirects_that_drop_the_body(
    http: net.Http, httpserver: HTTPServer, status: int
) -> None:
    moved = Response(status=status, headers={"Location": "https://gate.test/secret-path"})
    httpserver.expect_request("/old").respond_with_response(moved)
    with pytest.raises(net.Unusable) as raised:
        await http.call(post(httpserver.url_for("/old")))
    assert str(raised.value) == (
        f"redirected with {status} to https://gate.test, which would drop the body:"
        " write the final address into the manifest"
    )


async def test_follows_any_redirect_of_a_get(http: net.Http, httpserver: HTTPServer) -> None:
    httpserver.expect_request("/old").respond_with_data("", 302, {"Location": "/new"})
    httpserver.expect_request("/new").respond_with_data("ok")
    assert (await http.call(get(httpserver.url_for("/old")))).text == "ok"


async def test_a_redirect_without_location_is_an_answer(
    http: net.Http, httpserver: HTTPServer
) -> None:
    httpserver.expect_request("/x").respond_with_data("where?", 302)
    assert (await http.call(post(httpserver.url_for("/x")))).status == 302


async def test_stops_after_ten_redirects(http: net.Http, httpserver: HTTPServer) -> None:
    httpserver.expect_request("/x").respond_with_data("", 307, {"Location": "/x"})
    with pytest.raises(net.Unusable, match="stopped after 10 redirects"):
        await http.call(get(httpserver.url_for("/x")))
    assert len(httpserver.log) == 11


async def test_headers_stay_with_their_server(http: net.Http, httpserver: HTTPServer) -> None:
    elsewhere = httpserver.url_for("/new").replace("localhost", "127.0.0.1")
    httpserver.expect_request("/old").respond_with_data("", 307, {"Location": elsewhere})
    httpserver.expect_request("/new").respond_with_data("ok")
    headers = (("Authorization", "Bearer abc"), ("Content-Type", "application/json"))
    await http.call(get(httpserver.url_for("/old"), headers=headers))
    request, _ = httpserver.log[1]
    assert "Authorization" not in request.headers
    assert request.headers["Content-Type"] == "application/json"


async def test_user_info_is_a_basic_login(http: net.Http, httpserver: HTTPServer) -> None:
    httpserver.expect_request("/x").respond_with_data("ok")
    url = httpserver.url_for("/x").replace("http://", "http://me:secret@")
    await http.call(get(url))
    await http.call(get(url, headers=(("authorization", "Bearer abc"),)))
    first, second = (request.headers["Authorization"] for request, _ in httpserver.log)
    assert first.startswith("Basic ")
    assert second == "Bearer abc"


async def test_certificates_are_verified(http: net.Http, https: HTTPServer) -> None:
    https.expect_request("/x").respond_with_data("ok")
    with pytest.raises(net.Unusable, match="tls: failed to verify certificate"):
        await http.call(post(https.url_for("/x")))
    assert (await http.call(post(https.url_for("/x"), verify=False))).text == "ok"
    with pytest.raises(net.Unusable):
        await http.call(post(https.url_for("/x")))


async def test_cookies_are_not_kept(http: net.Http, httpserver: HTTPServer) -> None:
    seen: list[str] = []

    def answer(request: Request) -> Response:
        seen.append(request.headers.get("Cookie", ""))
        return Response("ok", headers={"Set-Cookie": "a=b; Path=/"})

    httpserver.expect_request("/x").respond_with_handler(answer)
    for _ in range(2):
        await http.call(get(httpserver.url_for("/x")))
    assert seen == ["", ""]


async def test_a_proxy_gets_the_whole_address(http: net.Http, httpserver: HTTPServer) -> None:
    httpserver.expect_request("/x").respond_with_data("proxied")
    proxy = f"{httpserver.host}:{httpserver.port}"
    reply = await http.call(get("http://chat.test/x", proxy=proxy))
    assert reply.text == "proxied"
    assert httpserver.log[0][0].headers["Host"] == "chat.test"


async def test_proxies_of_the_environment_can_be_ignored(
    httpserver: HTTPServer, unused_tcp_port: int
) -> None:
    httpserver.expect_request("/x").respond_with_data("proxied")
    proxies = Proxies(http=httpserver.url_for(""))
    dead = f"http://dead.invalid:{unused_tcp_port}/x"
    async with net.Http(proxies) as http:
        assert (await http.call(get(dead))).text == "proxied"
        with pytest.raises(net.Unreachable):
            await http.call(get(dead, direct=True))


async def test_other_proxies_are_refused(http: net.Http) -> None:
    with pytest.raises(net.Unusable, match="proxies of the kind socks5 are not supported"):
        await http.call(get("http://chat.test/", proxy="socks5://proxy:1080"))


@pytest.mark.parametrize(
    ("url", "proxied"),
    [
        ("http://example.com/", True),
        ("http://localhost/", False),
        ("http://127.0.0.5/", False),
        ("http://[::1]/", False),
        ("http://gate.test/", False),
        ("http://sub.gate.test/", False),
        ("http://notgate.test/", True),
        ("http://svc.cluster.local/", False),
        ("http://cluster.local/", True),
        ("http://wild.org/", True),
        ("http://a.wild.org/", False),
        ("http://10.96.3.4/", False),
        ("http://10.97.0.1/", True),
        ("http://192.168.1.1/", False),
        ("http://[fd00::5]/", False),
        ("http://port.test:8080/", False),
        ("http://port.test/", True),
    ],
)
def test_no_proxy_is_read_as_go_does(url: str, proxied: bool) -> None:
    exceptions = (
        "gate.test, .cluster.local,*.wild.org,10.96.0.0/16,192.168.1.1,fd00::/8,port.test:8080,"
    )
    environment = {"http_proxy": "http://proxy:3128", "NO_PROXY": exceptions}
    proxies = Proxies.from_environment(environment)
    assert bool(proxies.choose(URL(url))) is proxied


def test_https_has_a_proxy_of_its_own() -> None:
    proxies = Proxies.from_environment({"HTTPS_PROXY": "http://p", "NO_PROXY": ""})
    assert proxies.choose(URL("https://example.com")) == "http://p"
    assert proxies.choose(URL("http://example.com")) == ""
    assert Proxies("http://p", "http://p", ("*",)).choose(URL("http://example.com")) == ""


def test_secrets_are_not_shown() -> None:
    request = net.Request(
        "GET", "http://me:secret@host/", (("Authorization", "secret"),), b"secret"
    )
    assert "secret" not in repr(request)
    assert "secret" not in repr(Proxies("http://me:secret@proxy"))
    assert net.redact("token abc and abcdef", ["abc", "abcdef", ""]) == "token *** and ***"


def test_texts_are_cut_between_characters() -> None:
    assert net.shorten("short", 10) == "short"
    assert net.shorten("ä" * 10, 10) == "äää…"
    assert len(net.shorten("€" * 1000, 100).encode()) <= 100
