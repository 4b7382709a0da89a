"""Containers are found by looking."""

import asyncio

from bench.soak import inventory
from prometheus_client import CollectorRegistry, Gauge

from flagger_controller.metrics.recorder import Recorder
from flagger_controller.outbox import Outbox
from flagger_controller.schedule.pool import Pool


async def _work(key: str) -> float | None:
    return None


async def test_entries_are_counted_by_class_and_attribute() -> None:
    pool = Pool(_work, Recorder("0", "istio").process)
    before = inventory.entries(pool)
    pool.wake("one")
    pool.wake("two")
    found = inventory.entries(pool)
    assert found["Due._times"] == 2, "also of what it refers to"
    assert found["Due._heap"] == 2
    found.subtract(before)
    assert +found == {"Pool._due": 2, "Due._times": 2, "Due._heap": 2}


async def test_a_container_that_somebody_adds_is_found() -> None:
    outbox = Outbox()
    outbox.__dict__["_added"] = [1, 2, 3]
    assert inventory.entries(outbox) == {"Outbox._added": 3}


async def test_what_is_in_containers_is_looked_into_and_counted_once() -> None:
    outer, inner = Outbox(), Outbox()
    inner.__dict__["_added"] = [1]
    outer.__dict__.update(_others={"a": inner, "b": inner})
    assert inventory.entries(outer) == {"Outbox._others": 2, "Outbox._added": 1}


def test_series_are_counted() -> None:
    recorder = Recorder("0", "istio")
    before = inventory.entries(recorder)
    recorder.count_hook("rollout", ok=True)
    recorder.count_hook("rollout", ok=False)
    found = inventory.entries(recorder)
    assert found["Recorder._hooks"] == before["Recorder._hooks"] + 2


async def test_others_objects_are_not_looked_into() -> None:
    outbox = Outbox()
    outbox.__dict__["_loop"] = asyncio.get_running_loop()
    gauge = Gauge("g", "text", registry=CollectorRegistry())
    assert inventory.entries(outbox, gauge, {"a": 1}) == {}
