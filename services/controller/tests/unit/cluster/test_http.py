import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from aiohttp import web

from flagger_common.version import __version__
from flagger_controller.cluster import resources
from flagger_controller.cluster.client import (
    ApiError,
    ApiNotFound,
    ApiUnavailable,
    Fenced,
    Ref,
)
from flagger_controller.cluster.http import HttpClient, HttpSettings
from flagger_controller.cluster.login import Login

from .server import Answer, Script, broken, chunks, failure, reply, serving, silent
from .world import config_map, deployment, replicas

CANARY = Ref(resources.CANARIES, "cart", "shop")
ROUTE = Ref(resources.TRAFFIC_ROUTES, "cart")


class Talk:
    """A client, the server it talks to, and how long it would have slept."""

    def __init__(self, script: Script, settings: HttpSettings) -> None:
        self.script = script
        self.pauses: list[float] = []
        self.heard: list[str] = []
        self.client = HttpClient(
            Login(script.url, authorization=lambda: "Bearer secret"),
            settings,
            heard=lambda *what: self.heard.append(" ".join(what)),
            jitter=lambda: 0.0,
            sleep=self._sleep,
        )

    async def _sleep(self, seconds: float) -> None:
        self.pauses.append(seconds)

    @property
    def methods(self) -> list[str]:
        return [call.method for call in self.script.calls]


@asynccontextmanager
async def talk(*answers: Answer, patience: float = 5.0) -> AsyncIterator[Talk]:
    async with serving(*answers) as script:
        found = Talk(script, HttpSettings(timeout=patience))
        try:
            yield found
        finally:
            await found.client.close()


async def test_requests() -> None:
    body = {"metadata": {"name": "cart", "namespace": "shop", "resourceVersion": "7"}}
    async with talk(reply(body)) as it:
        client = it.client
        assert await client.get(CANARY) == body
        await client.create(config_map(), {"data": {}})
        await client.update(CANARY, body, subresource="status")
        await client.patch(deployment(), replicas(1))
        await client.delete(ROUTE, uid="uid-1")
        await client.read("/version", {"a": "b"})
        get, create, update, patch, delete, version = it.script.calls

    assert (get.method, get.path) == (
        "GET",
        "/apis/flagger.app/v1beta1/namespaces/shop/canaries/cart",
    )
    assert get.headers["User-Agent"] == f"flagger/{__version__}"
    assert get.headers["Authorization"] == "Bearer secret"
    assert get.query == {}

    assert (create.method, create.path) == ("POST", "/api/v1/namespaces/shop/configmaps")
    assert create.query == {"fieldManager": "flagger"}
    assert create.body == {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "settings", "namespace": "shop"},
        "data": {},
    }
    assert update.method == "PUT"
    assert update.path == "/apis/flagger.app/v1beta1/namespaces/shop/canaries/cart/status"
    assert update.body["metadata"]["resourceVersion"] == "7"
    assert update.query == {"fieldManager": "flagger"}

    assert (patch.method, patch.path) == (
        "PATCH",
        "/apis/apps/v1/namespaces/shop/deployments/cart",
    )
    assert patch.headers["Content-Type"] == "application/merge-patch+json"
    assert patch.body == {"spec": {"replicas": 1}}
    assert patch.query == {"fieldManager": "flagger"}

    assert (delete.method, delete.path) == ("DELETE", "/apis/kuma.io/v1alpha1/trafficroutes/cart")
    assert delete.body == {"propagationPolicy": "Background", "preconditions": {"uid": "uid-1"}}
    assert (version.path, version.query) == ("/version", {"a": "b"})


async def test_errors_say_what_was_asked() -> None:
    async with talk(failure(422, "Invalid", "spec.x: required")) as it:
        client = it.client
        for work, text in (
            (client.get(CANARY), "get canaries.flagger.app cart.shop"),
            (client.create(CANARY, {}), "create canaries.flagger.app cart.shop"),
            (client.update(CANARY, {}), "update canaries.flagger.app cart.shop"),
            (client.patch(CANARY, {}, subresource="status"), "patch canaries.flagger.app/status"),
            (client.delete(ROUTE), "delete trafficroutes.kuma.io cart"),
            (client.list(resources.SECRETS, "shop"), "list secrets in shop"),
            (lines(client), "watch deployments.apps in all namespaces"),
            (client.read("/version"), "get /version"),
        ):
            with pytest.raises(ApiError) as caught:
                await work
            assert str(caught.value).startswith(text)
            assert str(caught.value).endswith(": spec.x: required")


async def test_an_answer_that_is_not_from_the_api_server() -> None:
    async with talk(chunks(b"<html>Bad gateway</html>")) as it:
        with pytest.raises(ApiUnavailable, match="unreadable answer"):
            await it.client.update(CANARY, {})


async def test_reads_are_retried_with_growing_pauses() -> None:
    answers = (failure(500), failure(502), failure(503), reply({"a": 1}))
    async with talk(*answers) as it:
        assert await it.client.get(CANARY) == {"a": 1}
        assert it.pauses == [0.5, 1.0, 2.0]


async def test_a_read_survives_a_closed_connection() -> None:
    async with talk(broken(), reply({"a": 1})) as it:
        assert await it.client.get(CANARY) == {"a": 1}


async def test_reads_are_not_retried_for_ever() -> None:
    async with talk(failure(500, message="etcd is full")) as it:
        with pytest.raises(ApiUnavailable, match="etcd is full"):
            await it.client.get(CANARY)
        assert len(it.script.calls) == 4


async def test_no_attempt_begins_after_the_patience_of_the_caller() -> None:
    async with talk(failure(503, message="no adapter")) as it:
        with pytest.raises(ApiUnavailable, match="no adapter"):
            await it.client.read("/apis/external.metrics.k8s.io/v1beta1", seconds=2.0)
        assert it.pauses == [0.5, 1.0]


async def test_a_definite_answer_is_not_retried() -> None:
    async with talk(failure(403)) as it:
        with pytest.raises(ApiError):
            await it.client.get(CANARY)
        assert len(it.script.calls) == 1


@pytest.mark.parametrize("answer", [failure(500), failure(503), broken()])
async def test_a_write_with_unknown_outcome_is_not_repeated(answer: Answer) -> None:
    async with talk(answer) as it:
        with pytest.raises(ApiUnavailable):
            await it.client.create(config_map(), {})
        with pytest.raises(ApiUnavailable):
            await it.client.patch(config_map(), {})
        assert it.methods == ["POST", "PATCH"]
        assert it.pauses == []


async def test_a_write_that_was_turned_away_is_repeated() -> None:
    busy = failure(429, "TooManyRequests", "later")
    async with talk(busy, busy, reply({"a": 1})) as it:
        assert await it.client.patch(config_map(), {}) == {"a": 1}
        assert it.pauses == [0.5, 1.0]


async def test_a_server_that_asks_for_more_patience_than_we_have() -> None:
    async with talk(failure(429, Retry_After="120")) as it:
        with pytest.raises(ApiUnavailable) as caught:
            await it.client.get(CANARY)
        assert caught.value.retry_after == 120
        assert it.pauses == []


async def test_no_answer_in_time() -> None:
    async with talk(silent(), patience=0.05) as it:
        with pytest.raises(ApiUnavailable, match=r"no answer from the API server within 0\.05 s"):
            await it.client.patch(config_map(), {})


async def test_nobody_listens() -> None:
    async with talk(reply({})) as it:
        it.client._login = Login("http://127.0.0.1:1")
        with pytest.raises(ApiUnavailable, match="no connection to the API server"):
            await it.client.patch(config_map(), {})


async def test_the_fence_is_asked_before_every_write_and_every_repetition() -> None:
    asked: list[int] = []

    def fence() -> None:
        asked.append(len(it.script.calls))
        if len(asked) == 2:
            raise Fenced("not the leader")

    async with talk(failure(429)) as it:
        with pytest.raises(Fenced):
            await it.client.fenced(fence).update(CANARY, {})
        assert asked == [0, 1]
        assert it.methods == ["PUT"]


async def test_the_fence_is_not_asked_for_reads() -> None:
    def fence() -> None:
        raise Fenced("not the leader")

    async with talk(reply({"a": 1})) as it:
        fenced = it.client.fenced(fence)
        assert await fenced.get(CANARY) == {"a": 1}
        for write in (fenced.create, fenced.update, fenced.patch):
            with pytest.raises(Fenced):
                await write(CANARY, {})
        with pytest.raises(Fenced):
            await fenced.delete(CANARY)
        assert it.methods == ["GET"]
        assert await it.client.patch(CANARY, {}) == {"a": 1}


async def test_lists_in_pages() -> None:
    first = {"metadata": {"resourceVersion": "9", "continue": "t"}, "items": [{"a": 1}]}
    second = {"metadata": {"resourceVersion": "9"}, "items": [{"a": 2}]}
    async with talk(reply(first), reply(second)) as it:
        found = await it.client.list(resources.DEPLOYMENTS, "shop")
        kind = {"apiVersion": "apps/v1", "kind": "Deployment"}
        assert found == [{"a": 1} | kind, {"a": 2} | kind]
        assert [call.query for call in it.script.calls] == [
            {"limit": "500"},
            {"limit": "500", "continue": "t"},
        ]


async def test_an_empty_list() -> None:
    async with talk(reply({"metadata": {"resourceVersion": "9"}, "items": None})) as it:
        page = await it.client.page(resources.SECRETS, metadata_only=True)
        assert (page.items, page.version, page.token) == ([], "9", "")
        (call,) = it.script.calls
        assert call.path == "/api/v1/secrets"
        assert "as=PartialObjectMetadataList" in call.headers["Accept"]


async def lines(client: HttpClient) -> list[bytes]:
    async with client.watch(resources.DEPLOYMENTS, version="5", seconds=60.5) as stream:
        return [line async for line in stream]


async def test_watch() -> None:
    large = b"x" * 1_000_000
    async with talk(chunks(b"one\nt", b"wo\n", large + b"\n")) as it:
        assert await lines(it.client) == [b"one", b"two", large]
        (call,) = it.script.calls
        assert call.query == {
            "watch": "1",
            "allowWatchBookmarks": "true",
            "resourceVersion": "5",
            "timeoutSeconds": "60",
        }


async def test_a_watch_that_is_cut() -> None:
    async with talk(chunks(b"one\n", abort=True)) as it:
        with pytest.raises(ApiUnavailable):
            await lines(it.client)


@pytest.mark.parametrize(("status", "kind"), [(410, ApiError), (404, ApiNotFound)])
async def test_a_watch_that_is_refused(status: int, kind: type[ApiError]) -> None:
    async with talk(failure(status, message="too old")) as it:
        with pytest.raises(kind, match="too old") as caught:
            await lines(it.client)
        assert caught.value.status == status


async def test_a_watch_that_never_starts() -> None:
    async with talk(silent(), patience=0.05) as it:
        with pytest.raises(ApiUnavailable, match="no answer"):
            await lines(it.client)


async def test_a_busy_server_puts_watches_off() -> None:
    async with talk(failure(429, Retry_After="7")) as it:
        with pytest.raises(ApiUnavailable) as caught:
            await lines(it.client)
        assert caught.value.retry_after == 7


async def test_calls_are_limited() -> None:
    async with serving(reply({})) as script:
        client = HttpClient(Login(script.url), HttpSettings(qps=50, burst=1))
        clock = asyncio.get_running_loop().time
        began = clock()
        await asyncio.gather(*(client.get(CANARY) for _ in range(4)))
        assert clock() - began >= 0.05
        await client.close()


async def test_only_so_many_calls_have_a_connection() -> None:
    """Watches, which keep theirs for minutes, are not among them."""
    opened, arrived = asyncio.Event(), asyncio.Event()

    async def answer(request: web.Request) -> web.StreamResponse:
        arrived.set()
        if "watch" not in request.query:
            await opened.wait()
        return web.json_response({})

    async with serving(answer) as script:
        client = HttpClient(Login(script.url), HttpSettings(connections=1))
        try:
            calls = [asyncio.create_task(client.get(CANARY)) for _ in range(2)]
            await arrived.wait()
            async with client.watch(CANARY.resource, version="1", seconds=1):
                assert [call.query.get("watch") for call in script.calls] == [None, "1"]
            opened.set()
            await asyncio.gather(*calls)
        finally:
            await client.close()
    assert len(script.calls) == 3


async def test_every_request_is_counted_with_its_answer() -> None:
    answers = (failure(429), reply({"metadata": {}}), failure(404), broken(), chunks(abort=True))
    async with talk(*answers) as it:
        await it.client.get(CANARY)
        with pytest.raises(ApiNotFound):
            await it.client.patch(CANARY, {}, subresource="status")
        with pytest.raises(ApiUnavailable):
            await it.client.create(config_map(), {})
        async with it.client.watch(resources.DEPLOYMENTS, version="5", seconds=60) as stream:
            with pytest.raises(ApiUnavailable):
                await anext(stream)
    assert it.heard == [
        "get canaries.flagger.app 429",
        "get canaries.flagger.app 200",
        "patch canaries.flagger.app/status 404",
        "create configmaps unreachable",
        "watch deployments.apps 200",
    ]


async def test_a_request_without_an_answer_is_counted_by_the_reason() -> None:
    async with talk(silent(), patience=0.05) as it:
        with pytest.raises(ApiUnavailable):
            await it.client.delete(ROUTE)
    assert it.heard == ["delete trafficroutes.kuma.io timeout"]
