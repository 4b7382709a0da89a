"""Hostile callers against a real strict server: it lives, and runs nothing it should not."""

import collections
import concurrent.futures
import contextlib
import http.client
import os
import pathlib
import re
import shutil
import socket
import urllib.parse
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING

import pytest

from . import hostile

if TYPE_CHECKING:
    from .conftest import Service

Serve = Callable[..., "Service"]
Eventually = Callable[[Callable[[], object]], None]
Running = Callable[[pathlib.Path], bool]

ALLOWED = ("hey", "wrk", "ghz", "k6", "bats", "grpc_health_probe", "curl", "grep", "jq")
DECOYS = ("sh", "bash", "env", "rm", "touch", "python3", "eval", "exec", "time", "kubectl", "helm")
CALLERS = 4
EACH = 2_500
FAILURE = re.compile(r"command .* failed: |`\w+` ", re.DOTALL)
"""The replies of 500 that belong to the contract: failed commands, and faults of Concord's."""


@pytest.fixture
def programs(tmp_path: pathlib.Path) -> pathlib.Path:
    """Stand-ins of all programs; they note that they ran, and `hey` holds on when asked to."""
    made = tmp_path / "bin"
    made.mkdir()
    note = f"printf '%s\\n' \"${{0##*/}} $*\" >> {tmp_path}/"
    hold = f'case "$*" in *hold*) sleep 1000 & echo $! > {tmp_path}/child; wait;; esac\n'
    for name in ALLOWED:
        (made / name).write_text(f"#!/bin/sh\n{note}ran\n{hold}")
    for name in DECOYS:
        (made / name).write_text(f"#!/bin/sh\n{note}decoys\n")
    for program in made.iterdir():
        program.chmod(0o755)
    return made


def attack(url: str, bodies: Iterable[bytes]) -> "collections.Counter[int]":
    """Post bodies one after another; returns how often each status was answered."""
    statuses: collections.Counter[int] = collections.Counter()
    address = urllib.parse.urlsplit(url).netloc
    with contextlib.closing(http.client.HTTPConnection(address, timeout=60)) as connection:
        for body in bodies:
            if status := post(connection, body):
                statuses[status] += 1
    return statuses


def post(connection: http.client.HTTPConnection, body: bytes) -> int | None:
    large = len(body) > 262_144  # answered before it is read, then the connection is closed
    try:
        connection.request("POST", "/", body)
        response = connection.getresponse()
        text = response.read().decode()
    except ConnectionError:
        assert large, body[:1000]
        return None
    finally:
        if large:
            connection.close()
    expected = response.status < 500 or (response.status == 500 and FAILURE.match(text))
    assert expected, (response.status, text, body[:1000])
    return response.status


@pytest.fixture
def slow_callers(strict: "Service") -> Iterator[None]:
    """Callers who never finish their bodies, as long as the others come."""
    host, _, port = urllib.parse.urlsplit(strict.url).netloc.partition(":")
    open_ = [socket.create_connection((host, int(port))) for _ in range(5)]
    for connection in open_:
        connection.sendall(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n{")
    yield
    for connection in open_:
        connection.close()


@pytest.fixture
def strict(serve: Serve, programs: pathlib.Path) -> "Service":
    return serve("-timeout=3s", path=f"{programs}:", mode="-compat=false")


def worker(service: "Service") -> int:
    pid = service.process.pid
    (child,) = pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return int(child)


def peak_kib(pid: int) -> int:
    found = re.search(r"VmHWM:\s+(\d+) kB", pathlib.Path(f"/proc/{pid}/status").read_text())
    assert found
    return int(found[1])


def running_programs(directory: pathlib.Path) -> list[bytes]:
    """Return the command lines of the processes that run a stand-in."""
    found = []
    for entry in pathlib.Path("/proc").glob("[0-9]*/cmdline"):
        try:
            line = entry.read_bytes()
        except (FileNotFoundError, ProcessLookupError, PermissionError):
            continue
        if os.fsencode(directory) in line:
            found.append(line)
    return found


@pytest.mark.timeout(600)
@pytest.mark.skipif(shutil.which("prlimit") is None, reason="prlimit is not installed")
@pytest.mark.usefixtures("slow_callers")
def test_ten_thousand_hostile_payloads(
    strict: "Service", programs: pathlib.Path, running: Running, eventually: Eventually
) -> None:
    directory = programs.parent
    first = worker(strict)
    assert attack(strict.url, [b"{}", hostile.payload({"cmd": "rm"})]) == {400: 1, 403: 1}
    before = peak_kib(first)

    with concurrent.futures.ThreadPoolExecutor(CALLERS) as pool:
        mixes = [hostile.bodies(seed, EACH) for seed in range(CALLERS)]
        counts = pool.map(attack, [strict.url] * CALLERS, mixes)
    statuses = sum(counts, start=collections.Counter())

    assert sum(statuses.values()) > 0.98 * CALLERS * EACH
    assert {200, 202, 400, 403, 413} <= set(statuses), statuses
    assert strict.answers()
    assert worker(strict) == first
    assert peak_kib(first) < before + 128 * 1024
    assert "request failed" not in strict.messages()

    ran = (directory / "ran").read_text()
    assert "hey -disable-redirects -z 1s -c 2 http://podinfo.test:9898/\n" in ran
    assert [word for word in hostile.EVIL if word in ran] == []
    assert not (directory / "decoys").exists()
    assert list(directory.rglob(f"*{hostile.MARK}*")) == []

    held = strict.post({"type": "bash", "cmd": "hey http://podinfo.test/hold"})
    assert (held.status_code, held.text[-16:]) == (500, ": signal: killed")
    eventually(lambda: not running(directory / "child"))
    eventually(lambda: not running_programs(programs))
