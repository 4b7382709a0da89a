"""`make storm`: clients open, close and check gates while the servers are killed (issue 7).

Each of some canaries has one client that opens and closes its gate in turn; all others check gates
of any canary at any replica. What they were told is judged by `oracle`.
"""

import argparse
import asyncio
import collections
import contextlib
import dataclasses
import itertools
import pathlib
import random
import secrets
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence

import aiohttp

from .. import servers
from . import oracle

READERS_A_WRITER = 4
PAUSE_SECONDS = 0.02
"""After a connection that was refused: a server needs seconds to start."""
PATIENCE = aiohttp.ClientTimeout(total=120)
"""A request that takes longer ends the storm: whether it is still under way nobody knows."""
REMEMBERED = 100
"""Changes looked for in the history; that of the kubernetes store is bounded."""
TRIES = 20
"""Checks of one gate at one replica when the storm is over."""
NAMESPACE = "storm"
BROKEN = (aiohttp.ClientConnectionError, aiohttp.ClientPayloadError)


@dataclasses.dataclass(frozen=True)
class Plan:
    """How hard it storms, and for how long: whatever comes first."""

    clients: int
    kill_every: int
    """Operations between two kills, on average."""
    operations: float = float("inf")
    seconds: float = float("inf")


@dataclasses.dataclass
class Gate:
    """What the clients of one gate were told."""

    canary: str
    writes: list[oracle.Write] = dataclasses.field(default_factory=list)
    checks: list[oracle.Check] = dataclasses.field(default_factory=list)
    rollbacks: list[oracle.Check] = dataclasses.field(default_factory=list)
    """Checks of its rollback gate, which nobody opens."""
    reasons: list[str] = dataclasses.field(default_factory=list)
    """Of acknowledged changes that had one, and so can be found in the history."""


class Storm:
    """One run. Everything that is left to chance comes from one seed."""

    def __init__(self, replicas: Sequence[servers.Gatekeeper], plan: Plan, seed: int) -> None:
        self.counts: collections.Counter[str] = collections.Counter()
        self.unexpected: list[str] = []
        self.gates = [Gate(f"canary-{n}") for n in range(plan.clients // (READERS_A_WRITER + 1))]
        self._replicas = replicas
        self._plan = plan
        self._chance = random.Random(seed)  # noqa: S311 - has to be repeatable
        self._end = time.monotonic() + plan.seconds
        self._over = False
        self._strike = asyncio.Event()
        self._next_kill = self._chance.randint(1, plan.kill_every)

    async def run(self) -> list[str]:
        """Storm, then look at what is left; return all that is wrong."""
        connector = aiohttp.TCPConnector(limit=0)
        async with aiohttp.ClientSession(connector=connector, timeout=PATIENCE) as self._session:
            readers = self._plan.clients - len(self.gates)
            async with asyncio.TaskGroup() as group:
                for gate in self.gates:
                    group.create_task(self._write_on(gate))
                for _ in range(readers):
                    group.create_task(self._read_on())
                group.create_task(self._kill_on())
            wrong = [text for gate in self.gates for text in await self._left(gate)]
        for gate in self.gates:
            found = oracle.violations(gate.writes, gate.checks)
            found += oracle.violations([], gate.rollbacks)
            wrong += [f"{gate.canary}: {text}" for text in found]
        return wrong + self.unexpected

    def _storms(self) -> bool:
        operations = self.counts["operations"]
        self._over |= operations >= self._plan.operations or time.monotonic() >= self._end
        if self._over or operations >= self._next_kill:
            self._strike.set()
        return not self._over

    async def _write_on(self, gate: Gate) -> None:
        """Change a gate again and again; the last change is acknowledged."""
        for number in itertools.count():
            opens = self._chance.random() < 0.5
            acknowledged = await self._write(gate, f"change {number}", opens=opens)
            if acknowledged and not self._storms():
                return

    async def _write(self, gate: Gate, reason: str, *, opens: bool) -> bool:
        action = "open" if opens else "close"
        begin = time.monotonic()
        if self._chance.random() < 0.5:
            path, body = f"/gate/{action}", {"name": gate.canary, "namespace": NAMESPACE}
            reasons = []
        else:
            path = f"/api/v1/gates/{NAMESPACE}/{gate.canary}/default/{action}"
            body, reasons = {"reason": reason}, [reason]
        status = await self._post(path, body, {200, 202, 503})
        acknowledged = status in (200, 202)
        if acknowledged:
            self.counts["acknowledged changes"] += 1
            gate.reasons += reasons
        gate.writes.append(oracle.Write(opens, begin, time.monotonic(), acknowledged))
        return acknowledged

    async def _read_on(self) -> None:
        while self._storms():
            gate = self._chance.choice(self.gates)
            rollback = self._chance.random() < 0.1
            kept = gate.rollbacks if rollback else gate.checks
            path = "/rollback/check" if rollback else "/gate/check"
            await self._check(gate, path, kept)

    async def _check(
        self, gate: Gate, path: str, kept: list[oracle.Check], port: int | None = None
    ) -> bool:
        """Check a gate as a controller does; say whether it was answered."""
        begin = time.monotonic()
        body = {"name": gate.canary, "namespace": NAMESPACE, "phase": "Waiting", "checksum": "7"}
        status = await self._post(path, body, {200, 403, 503}, port)
        answered = status in (200, 403)
        if answered:
            kept.append(oracle.Check(status == 200, begin, time.monotonic()))
            self.counts["answered checks"] += 1
        return answered

    async def _post(
        self, path: str, body: dict[str, str], expected: set[int], port: int | None = None
    ) -> int:
        """Return the status; 0 if there was no answer."""
        self.counts["operations"] += 1
        port = port or self._chance.choice(self._replicas).port
        try:
            async with self._session.post(f"http://127.0.0.1:{port}{path}", json=body) as answer:
                text = await answer.text()
        except BROKEN:
            self.counts["connection errors"] += 1
            await asyncio.sleep(PAUSE_SECONDS)
            return 0
        self.counts["refused (503)"] += answer.status == 503
        if answer.status not in expected:
            self.unexpected.append(f"{path} answered {answer.status} {text[:100]}")
        return answer.status

    async def _kill_on(self) -> None:
        """Kill one replica after the other, and start it again at once."""
        while self._storms():
            await self._strike.wait()
            if self._over:
                return
            victim = self._chance.choice(self._replicas)
            victim.kill()
            self.counts["kills"] += 1
            await asyncio.to_thread(victim.start)
            pause = self._chance.randint(1, 2 * self._plan.kill_every)
            self._next_kill = self.counts["operations"] + pause
            self._strike.clear()

    async def _left(self, gate: Gate) -> list[str]:
        """Check a gate at each replica, and compare its history with what was acknowledged."""
        for replica in self._replicas:
            for _ in range(TRIES):
                if await self._check(gate, "/gate/check", gate.checks, replica.port):
                    break
            else:
                self.unexpected.append(f"{gate.canary}: a replica does not answer at the end")
        url = self._replicas[0].url("/api/v1/audit")
        query = {"namespace": NAMESPACE, "canary": gate.canary, "limit": "1000"}
        async with self._session.get(url, params=query) as answer:
            entries = (await answer.json())["items"]
        history = [entry.get("reason", "") for entry in entries]
        return [
            f"{gate.canary}: {text}" for text in oracle.lost(gate.reasons[-REMEMBERED:], history)
        ]


@contextlib.contextmanager
def running(
    count: int, flags: Sequence[str], logs: pathlib.Path
) -> Iterator[list[servers.Gatekeeper]]:
    """Start replicas; they end with the block."""
    replicas = [
        servers.Gatekeeper(["-rate-limit=0", "-log-level=warn", *flags], logs / f"replica-{n}.log")
        for n in range(count)
    ]
    try:
        for replica in replicas:
            replica.start()
        yield replicas
    finally:
        for replica in replicas:
            replica.kill()


def arguments() -> argparse.Namespace:
    """What is wanted."""
    parser = argparse.ArgumentParser(prog="make storm", description=__doc__)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--clients", type=int, default=200)
    parser.add_argument("--replicas", type=int, default=3)
    parser.add_argument("--kill-every", type=int, default=300, help="operations between two kills")
    parser.add_argument("--store", choices=["sqlite", "kubernetes"], default="sqlite")
    parser.add_argument("--seed", type=int, default=secrets.randbelow(1_000_000))
    return parser.parse_args()


def main() -> int:
    """Storm, and print a table; 1 if anything is wrong."""
    chosen = arguments()
    plan = Plan(chosen.clients, chosen.kill_every, seconds=chosen.seconds)
    sys.stdout.write(f"seed {chosen.seed}, store {chosen.store}, {plan}\n")
    with (
        tempfile.TemporaryDirectory(prefix="flagger-storm-") as name,
        servers.STORES[chosen.store](pathlib.Path(name)) as flags,
        running(chosen.replicas, flags, pathlib.Path(name)) as replicas,
    ):
        storm = Storm(replicas, plan, chosen.seed)
        wrong = asyncio.run(storm.run())
    for what, count in [*sorted(storm.counts.items()), ("violations", len(wrong))]:
        sys.stdout.write(f"{count:9d}  {what}\n")
    sys.stdout.write("".join(f"{text}\n" for text in wrong))
    return int(bool(wrong))


if __name__ == "__main__":
    sys.exit(main())
