import json
from typing import Any

import pytest

import flagger_gatekeeper
from flagger_gatekeeper import settings, watch
from flagger_gatekeeper.store import base, memory

A = {"namespace": "test", "canary": "podinfo", "gate": "start", "state": "open"}
B = {"namespace": "test", "canary": "podinfo", "gate": "other", "state": "closed"}


def tell(*looks: Any) -> list[Any]:
    """Return the events of a stream that sees one list after the other."""
    left = list(looks)

    def look() -> list[watch.Document]:
        found = left.pop(0)
        if isinstance(found, Exception):
            raise found
        return list(found)

    stream = watch.Streams(pause=0.001, longest=0.001 * len(looks)).open(look)
    assert stream is not None
    events: list[Any] = []
    for chunk in stream:
        assert chunk.endswith("\n\n")
        if chunk.startswith("event: "):
            name, data = chunk.strip().split("\n")
            events.append((name.removeprefix("event: "), json.loads(data.removeprefix("data: "))))
        elif chunk.startswith(":"):
            events.append("alive")
    return events


def test_a_stream_tells_what_is_there_and_then_what_is_different() -> None:
    closed = {**A, "state": "closed"}
    assert tell([A, B], [A, B], [closed, B], [B]) == [
        ("gate", A),
        ("gate", B),
        "alive",
        ("gate", closed),
        ("gone", {"namespace": "test", "canary": "podinfo", "gate": "start"}),
    ]


def test_a_store_that_is_away_is_told_and_closes_nothing() -> None:
    away = base.StoreUnavailableError("down")
    assert tell([A], away, [A]) == [("gate", A), ("unavailable", {}), "alive"]


def test_streams_are_limited_and_give_their_place_back() -> None:
    streams = watch.Streams()
    opened: list[Any] = [streams.open(list) for _ in range(watch.MOST_STREAMS)]
    assert None not in opened
    assert streams.open(list) is None
    opened[0].close()
    opened[0].close()
    assert streams.open(list) is not None
    assert streams.open(list) is None


@pytest.mark.timeout(30)
def test_streams_end_with_the_process() -> None:
    streams = watch.Streams(pause=3600, longest=36_000)
    stream = streams.open(list)
    assert stream is not None
    assert next(stream).startswith("retry")
    streams.stop()
    assert list(stream) == [": nothing new\n\n"]
    assert streams.open(list) is None


def test_the_stream_over_http() -> None:
    app = flagger_gatekeeper.create_app(
        settings.Settings(allow_anonymous_mutations=True), memory.MemoryStore()
    )
    client = app.test_client()
    client.post("/api/v1/gates/test/podinfo/start/open")
    with client.get("/api/v1/watch?namespace=test", buffered=False) as answer:
        assert answer.headers["Content-Type"] == "text/event-stream"
        chunks = iter(answer.response)
        assert next(chunks) == b"retry: 2000\n\n"
        assert b'"gate": "start"' in next(chunks)
    opened = [client.get("/api/v1/watch") for _ in range(watch.MOST_STREAMS)]
    assert {answer.status_code for answer in opened} == {200}
    refused = client.get("/api/v1/watch")
    assert refused.json is not None
    assert (refused.status_code, refused.json["code"]) == (429, "too_many_streams")
    for answer in opened:
        answer.close()
    assert client.get("/api/v1/watch").status_code == 200
