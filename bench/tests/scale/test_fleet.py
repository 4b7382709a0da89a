"""What a fleet asks of an API server."""

import time
from collections.abc import Iterator

import pytest
import requests
from bench.scale.fleet import Fleet
from bench.tests.scale.server import Server, hands

APPS = "/apis/apps/v1/namespaces"
CANARIES = "/apis/flagger.app/v1beta1/namespaces"


@pytest.fixture
def server() -> Server:
    return Server()


@pytest.fixture
def fleet(server: Server) -> Iterator[Fleet]:
    """Of 30 canaries, in two namespaces."""
    with hands(server) as team:
        yield Fleet(team, "ours-30", 30)


def test_everything_is_made_once(server: Server, fleet: Fleet) -> None:
    with fleet:
        fleet.deploy()
        fleet.guard()
        assert fleet.available() == 2
    names = [body["metadata"]["name"] for body in server.bodies["POST", "/api/v1/namespaces"]]
    assert sorted(names) == ["ours-30-0", "ours-30-1"]
    for root, plural in ((APPS, "deployments"), (CANARIES, "canaries")):
        made = [server.count("POST", f"{root}/ours-30-{n}/{plural}") for n in range(2)]
        assert made == [25, 5]


def test_a_push_is_another_revision_of_some(server: Server, fleet: Fleet) -> None:
    some, before = fleet.members[3:6], time.monotonic()
    first, second = fleet.push(some), fleet.push(some[:1])
    assert list(first) == some
    assert list(second) == some[:1]
    assert before <= min(first.values()) <= max(first.values()) <= second[some[0]]
    paths = [f"{APPS}/ours-30-0/deployments/app-{n}" for n in (3, 4, 5)]
    assert [server.count("PATCH", path) for path in paths] == [2, 1, 1]
    images = [
        body["spec"]["template"]["spec"]["containers"][0]["image"]
        for body in server.bodies["PATCH", paths[0]]
    ]
    assert images == ["bench/app:2", "bench/app:3"]


def test_it_ends_when_its_namespaces_are_gone(server: Server, fleet: Fleet) -> None:
    with fleet:
        pass
    for path in ("/api/v1/namespaces/ours-30-0", "/api/v1/namespaces/ours-30-1"):
        assert (server.count("DELETE", path), server.count("GET", path)) == (1, 3)


def test_after_an_error_the_server_is_left_alone(server: Server, fleet: Fleet) -> None:
    with pytest.raises(requests.ConnectionError), fleet:
        raise requests.ConnectionError
    assert not any(method == "DELETE" for method, _ in server.asked)
