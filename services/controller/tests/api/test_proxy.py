"""The proxy does to writes and watches what it says: else a sweep would prove nothing."""

import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
import requests

from .faults import Fault, Write
from .proxy import FaultProxy
from .scene import FLAGGER, Object, Scene, World

pytestmark = [pytest.mark.api, pytest.mark.timeout(120)]

STATUS = "PATCH canaries/podinfo/status"
HELD = 1.0
BROKEN = (requests.ConnectionError, requests.exceptions.ChunkedEncodingError)


@dataclass
class Client:
    """What a controller does, and whether it was struck."""

    scene: Scene
    proxy: FaultProxy
    struck_at: list[int] = field(default_factory=list)
    """Weight that the server had when the controller was struck."""

    def plan(self, fault: Fault, number: int = 2) -> None:
        """Let a status write fail."""

        def strike() -> None:
            self.struck_at.append(self.weight)

        self.proxy.plan(Write(STATUS, number), fault, strike)

    def decide(self, weight: int) -> requests.Response:
        """Write the status."""
        body = {"status": {"canaryWeight": weight}}
        headers = {"Content-Type": "application/merge-patch+json", **self.token}
        place = f"{self.place}/podinfo/status"
        return requests.patch(place, data=json.dumps(body), headers=headers, timeout=60)

    def get(self, **parameters: str) -> requests.Response:
        """List or watch."""
        stream = "watch" in parameters
        return requests.get(
            self.place, parameters, headers=self.token, stream=stream, timeout=(10, 30)
        )

    @property
    def weight(self) -> int:
        """What the server knows."""
        path = f"/apis/{FLAGGER}/namespaces/{self.scene.namespace}/canaries/podinfo"
        return int(self.scene.api.get(path).get("status", {}).get("canaryWeight", 0))

    @property
    def place(self) -> str:
        return f"{self.proxy.url}/apis/{FLAGGER}/namespaces/{self.scene.namespace}/canaries"

    @property
    def token(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.scene.world.plane.token}"}


@pytest.fixture
def client(world: World) -> Iterator[Client]:
    with world.scene("proxy") as scene, FaultProxy(world.plane, held=HELD) as proxy:
        scene.canary()
        client = Client(scene, proxy)
        assert client.decide(10).ok
        yield client


def test_writes_are_counted_by_object(client: Client) -> None:
    client.decide(20)
    client.get()
    assert [str(write) for write in client.proxy.writes] == [f"{STATUS}#1", f"{STATUS}#2"]


def test_only_the_planned_write_fails(client: Client) -> None:
    client.plan(Fault.ERROR, number=3)
    assert client.decide(20).ok
    assert not client.proxy.met.is_set()
    assert client.decide(30).status_code == 500
    assert client.decide(40).ok
    assert client.weight == 40


@pytest.mark.parametrize(
    ("fault", "before", "after"),
    [(Fault.BEFORE, [10], 10), (Fault.AFTER, [20], 20), (Fault.LOST, [], 20)],
    ids=str,
)
def test_no_reply(client: Client, fault: Fault, before: list[int], after: int) -> None:
    client.plan(fault)
    with pytest.raises(BROKEN):
        client.decide(20)
    assert client.proxy.struck.is_set()
    assert client.struck_at == before
    assert client.weight == after


@pytest.mark.parametrize(("fault", "code"), [(Fault.CONFLICT, 409), (Fault.ERROR, 500)], ids=str)
def test_refused(client: Client, fault: Fault, code: int) -> None:
    client.plan(fault)
    assert client.decide(20).status_code == code
    assert client.proxy.struck.is_set()
    assert client.weight == 10


def test_a_late_write_takes_effect_when_nobody_waits_any_more(client: Client) -> None:
    client.plan(Fault.TIMEOUT)
    with pytest.raises(requests.ReadTimeout):
        requests.patch(
            f"{client.place}/podinfo/status",
            data='{"status": {"canaryWeight": 20}}',
            headers={"Content-Type": "application/merge-patch+json", **client.token},
            timeout=HELD / 4,
        )
    assert client.weight == 10
    assert client.proxy.struck.wait(30)
    assert client.weight == 20


def test_the_write_of_a_stopped_leader_arrives_after_it_was_stopped(client: Client) -> None:
    client.plan(Fault.PAUSED)
    assert client.decide(20).ok
    assert client.struck_at == [10]
    assert client.weight == 20


@dataclass
class Seen:
    """A watch that is read in a thread."""

    answer: requests.Response
    events: list[Object] = field(default_factory=list)
    more: threading.Event = field(default_factory=threading.Event)
    broken: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        try:
            for line in self.answer.iter_lines(chunk_size=1):
                self.events.append(json.loads(line))
                self.more.set()
        except BROKEN:
            self.broken.set()

    @property
    def weights(self) -> list[int]:
        return [event["object"]["status"]["canaryWeight"] for event in self.events]


def watch(client: Client, version: Any) -> Seen:
    return Seen(client.get(watch="1", resourceVersion=str(version)))


def revision(client: Client) -> str:
    return str(client.get().json()["metadata"]["resourceVersion"])


def test_a_frozen_watch_delivers_nothing_and_breaks(client: Client) -> None:
    client.plan(Fault.FROZEN)
    seen, since = watch(client, revision(client)), revision(client)
    assert client.decide(20).ok
    assert seen.broken.wait(30)
    assert seen.weights == []
    again = watch(client, since)
    assert again.more.wait(30)
    assert again.weights == [20]


def test_an_expired_watch_breaks_and_must_list_again(client: Client) -> None:
    client.plan(Fault.GONE)
    since = revision(client)
    seen = watch(client, since)
    assert client.decide(20).ok
    assert seen.broken.wait(30)
    assert client.get(watch="1", resourceVersion=since).json()["object"]["code"] == 410
    assert weights(client) == [20]
    again = watch(client, since)
    assert again.more.wait(30)
    assert again.weights[-1] == 20


def weights(client: Client) -> list[int]:
    return [item["status"]["canaryWeight"] for item in client.get().json()["items"]]


def test_a_stale_server_lists_the_past_once(client: Client) -> None:
    client.plan(Fault.STALE)
    seen = watch(client, revision(client))
    assert client.decide(20).ok
    assert seen.broken.wait(30)
    assert client.get(watch="1").json()["object"]["code"] == 410
    past = client.get(limit="500").json()
    assert [item["status"]["canaryWeight"] for item in past["items"]] == [10]
    assert client.proxy.struck.is_set()
    assert weights(client) == [20]
    again = watch(client, past["metadata"]["resourceVersion"])
    assert again.more.wait(30)
    assert again.weights == [20]


def test_a_client_that_lists_by_watching_is_shown_the_past_too(client: Client) -> None:
    """As Go's does, which lists as usual when that is refused."""
    client.plan(Fault.STALE)
    seen = watch(client, revision(client))
    assert client.decide(20).ok
    assert seen.broken.wait(30)
    assert client.get(watch="1").json()["object"]["code"] == 410
    streamed = {"sendInitialEvents": "true", "resourceVersionMatch": "NotOlderThan"}
    assert client.get(watch="1", **streamed).status_code == 422
    assert weights(client) == [10]
    assert client.proxy.struck.is_set()
    assert client.get(watch="1", allowWatchBookmarks="true", **streamed).ok
