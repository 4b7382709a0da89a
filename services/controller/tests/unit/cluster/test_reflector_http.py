"""The reflector on scripted answers that a fake at the level of Python cannot give."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from flagger_controller.cluster import resources
from flagger_controller.cluster.client import Object
from flagger_controller.cluster.http import HttpClient
from flagger_controller.cluster.login import Login
from flagger_controller.cluster.watch import Reflector, WatchSettings

from .server import Answer, Script, chunks, failure, reply, serving, silent
from .world import deployment

SETTINGS = WatchSettings(backoff=0.01, missing=0.01)


def named(name: str, version: int) -> Object:
    return {"metadata": {"name": name, "namespace": "shop", "resourceVersion": str(version)}}


def listed(version: int, *items: Object) -> Answer:
    return reply({"metadata": {"resourceVersion": str(version)}, "items": list(items)})


def event(type_: str, body: Object) -> bytes:
    return json.dumps({"type": type_, "object": body}).encode() + b"\n"


@asynccontextmanager
async def reflecting(*answers: Answer) -> AsyncIterator[tuple[Reflector, Script]]:
    async with serving(*answers, silent()) as script:
        client = HttpClient(Login(script.url))
        reflector = Reflector(client, resources.DEPLOYMENTS, settings=SETTINGS)
        task = asyncio.create_task(reflector.run())
        try:
            yield reflector, script
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            await client.close()


async def shows(reflector: Reflector, name: str) -> None:
    ref = deployment(name)
    async with asyncio.timeout(5):
        await reflector.pulse.until(lambda: reflector.entry(ref) is not None)


def versions(script: Script) -> list[str | None]:
    """The version each request started from; None for lists."""
    return [call.query.get("resourceVersion") for call in script.calls]


async def test_gone_in_the_middle_of_a_stream() -> None:
    gone = {"kind": "Status", "code": 410, "reason": "Expired", "message": "too old"}
    answers = (
        listed(5, named("a", 3)),
        chunks(event("ADDED", named("b", 6)), event("ERROR", gone)),
        listed(9, named("c", 8)),
    )
    async with reflecting(*answers) as (reflector, script):
        await shows(reflector, "c")
        assert [ref.name for ref in reflector.refs()] == ["c"]
        assert versions(script)[:3] == [None, "5", None]


async def test_a_stream_that_breaks_in_the_middle_of_an_event() -> None:
    whole = event("ADDED", named("b", 6))
    answers = (
        listed(5),
        chunks(whole, event("ADDED", named("c", 7))[:20], abort=True),
        chunks(event("ADDED", named("c", 7))),
    )
    async with reflecting(*answers) as (reflector, script):
        await shows(reflector, "c")
        assert versions(script)[:3] == [None, "5", "6"]


async def test_bookmarks_move_the_version() -> None:
    mark: Object = {"kind": "Deployment", "metadata": {"resourceVersion": "50"}}
    answers = (listed(5), chunks(event("BOOKMARK", mark)), chunks(event("ADDED", named("a", 51))))
    async with reflecting(*answers) as (reflector, script):
        await shows(reflector, "a")
        assert versions(script)[:3] == [None, "5", "50"]
        assert [ref.name for ref in reflector.refs()] == ["a"]


async def test_an_event_that_cannot_be_read_leads_to_a_new_list() -> None:
    answers = (listed(5), chunks(b"<html>\n"), listed(9, named("a", 8)))
    async with reflecting(*answers) as (reflector, script):
        await shows(reflector, "a")
        assert versions(script)[:3] == [None, "5", None]


async def test_a_busy_server() -> None:
    busy = failure(429, Retry_After="0")
    answers = (listed(5), busy, busy, chunks(event("ADDED", named("a", 6))))
    async with reflecting(*answers) as (reflector, script):
        await shows(reflector, "a")
        assert versions(script)[:4] == [None, "5", "5", "5"]


async def test_rights_that_come_late() -> None:
    forbidden = failure(403, "Forbidden", "deployments is forbidden")
    async with reflecting(forbidden, forbidden, listed(5, named("a", 3))) as (reflector, _):
        await shows(reflector, "a")
        assert reflector.synced
