"""`make bench-gates`: how long checks of a gate take, ours beside upstream's (bench/README.md).

Each server has one core for itself, the generator another one. Requests are sent when they are due,
whether earlier ones were answered or not, and timed from then on: a server that stalls is charged
for all that had to wait (no coordinated omission).
"""

import argparse
import asyncio
import contextlib
import dataclasses
import os
import pathlib
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence

import aiohttp
import requests
from bench import usage
from bench.percentiles import percentile
from services.gatekeeper.tests import servers
from tools.cluster import gobuild

RATE = 200.0
"""Requests a second."""
BUDGET_MS = 50.0
"""What 99 of 100 checks may take at that rate."""
CANARIES = 20
"""Every second one has an open gate."""
NAMESPACE = "bench"
PATIENCE = aiohttp.ClientTimeout(total=30)
PEERS: dict[str, Callable[[], tuple[str, ...]]] = {
    "upstream": lambda: (str(gobuild.binary("loadtester")),),
    "loadtester": lambda: (sys.executable, "-m", "flagger_loadtester"),
}
"""Servers with gates in memory: upstream's load tester, built when it is asked for, or ours."""


@dataclasses.dataclass
class Result:
    """What was measured of one server, over all rounds."""

    name: str
    latencies: list[float] = dataclasses.field(default_factory=list)
    """Seconds, of each answered request."""
    failures: int = 0
    """Requests with a wrong answer, or none."""
    cpu: float = 0.0
    """Seconds of processor time."""


def table(results: Sequence[Result]) -> str:
    """Return a Markdown table; the first result is what the others are compared with."""
    lines = [
        "| gates | requests | failed | p50 ms | p90 ms | p99 ms | max ms | p99 ratio"
        " | CPU ms a request | CPU ratio |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    baseline = results[0]
    for one in results:
        times = [percentile(one.latencies, share) * 1000 for share in (0.5, 0.9, 0.99, 1)]
        tail = percentile(one.latencies, 0.99) / percentile(baseline.latencies, 0.99)
        total = len(one.latencies) + one.failures
        cost = _cost(one)
        cells = [
            one.name,
            str(total),
            str(one.failures),
            *(f"{value:.1f}" for value in times),
            f"{tail:.1f}",
            f"{cost:.2f}",
            f"{cost / _cost(baseline):.1f}",
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def _cost(result: Result) -> float:
    return result.cpu * 1000 / max(len(result.latencies), 1)


async def generate(url: str, rate: float, seconds: float, result: Result) -> None:
    """Send checks at a steady rate, and add what they took to a result."""
    connector = aiohttp.TCPConnector(limit=0)
    async with (
        aiohttp.ClientSession(connector=connector, timeout=PATIENCE) as session,
        asyncio.TaskGroup() as group,
    ):
        start = time.monotonic()
        for number in range(int(rate * seconds)):
            due = start + number / rate
            await asyncio.sleep(max(due - time.monotonic(), 0))
            group.create_task(_check(session, url, number % CANARIES, due, result))


async def _check(
    session: aiohttp.ClientSession, url: str, canary: int, due: float, result: Result
) -> None:
    body = {**_body(canary), "phase": "Waiting", "checksum": "7c9d467496"}
    try:
        async with session.post(url, json=body) as answer:
            await answer.read()
            right = answer.status == (403 if canary % 2 else 200)
    except (aiohttp.ClientError, TimeoutError):
        right = False
    if right:
        result.latencies.append(time.monotonic() - due)
    else:
        result.failures += 1


def _body(canary: int) -> dict[str, str]:
    return {"name": f"canary-{canary}", "namespace": NAMESPACE}


@contextlib.contextmanager
def pinned(server: servers.Gatekeeper, core: int) -> Iterator[int]:
    """Run a server on one core (it inherits ours when it starts); yield its process group."""
    mine = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {core})
    try:
        group = server.start()
        os.sched_setaffinity(0, mine)
        yield group
    finally:
        os.sched_setaffinity(0, mine)
        server.kill()


def measure(server: servers.Gatekeeper, core: int, seconds: float, result: Result) -> None:
    """Open every second gate, warm the server up, then measure it."""
    with pinned(server, core) as group:
        for canary in range(0, CANARIES, 2):
            opened = requests.post(server.url("/gate/open"), json=_body(canary), timeout=30)
            opened.raise_for_status()
        url = server.url("/gate/check")
        asyncio.run(generate(url, RATE, min(seconds, 3), Result("warm-up")))
        before = usage.cpu_seconds(usage.members(group))
        asyncio.run(generate(url, RATE, seconds, result))
        result.cpu += usage.cpu_seconds(usage.members(group)) - before


def arguments() -> argparse.Namespace:
    """What is wanted."""
    parser = argparse.ArgumentParser(prog="make bench-gates", description=__doc__)
    parser.add_argument("--peer", choices=PEERS, default="upstream", help="what to compare with")
    parser.add_argument("--seconds", type=float, default=20, help="length of one measurement")
    parser.add_argument("--rounds", type=int, default=3, help="measurements of each server")
    parser.add_argument("--kubernetes", action="store_true", help="the kubernetes store, too")
    return parser.parse_args()


def main() -> int:
    """Measure all servers in turn, round by round, and print a table."""
    chosen = arguments()
    theirs, *others = sorted(os.sched_getaffinity(0))
    if not others:
        sys.stderr.write("two cores are needed: one for the server, one for the generator\n")
        return 2
    os.sched_setaffinity(0, set(others))
    with contextlib.ExitStack() as stack:
        folder = pathlib.Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-")))
        quiet = ["-log-level=warn"]
        peer = servers.Gatekeeper(quiet, folder / "peer.log", command=PEERS[chosen.peer]())
        measured = {f"{chosen.peer}, memory": peer}
        for store in ["memory", "sqlite", *(["kubernetes"] if chosen.kubernetes else [])]:
            flags = stack.enter_context(servers.STORES[store](folder))
            log = folder / f"{store}.log"
            measured[f"gatekeeper, {store}"] = servers.Gatekeeper([*quiet, *flags], log)
        results = {name: Result(name) for name in measured}
        for _ in range(chosen.rounds):
            for name, server in measured.items():
                measure(server, theirs, chosen.seconds, results[name])
    sys.stdout.write(f"{table(list(results.values()))}\n\nbudget: p99 of {BUDGET_MS:.0f} ms\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
