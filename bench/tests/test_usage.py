"""What the kernel counts, beside what processes know of themselves."""

import os
import subprocess
import sys
from collections.abc import Iterator

import pytest
from bench import usage


@pytest.fixture
def child() -> Iterator["subprocess.Popen[bytes]"]:
    """A process that leads a group of its own."""
    with subprocess.Popen(
        [sys.executable, "-c", "import time; time.sleep(600)"], start_new_session=True
    ) as process:
        yield process
        process.kill()


def mine() -> float:
    times = os.times()
    return times.user + times.system


def test_processor_time_is_what_the_process_says_of_itself() -> None:
    tick = 1 / usage.CLOCK_TICKS
    before = mine()
    while mine() < before + 5 * tick:
        pass
    begin = mine()
    found = usage.cpu_seconds([os.getpid()])
    assert begin - 2 * tick <= found <= mine() + 2 * tick
    assert found > before


def test_a_group_has_the_processes_that_run_in_it(child: "subprocess.Popen[bytes]") -> None:
    assert usage.members(child.pid) == [child.pid]
    assert os.getpid() in usage.members(os.getpgrp())


def test_memory_is_in_mebibytes() -> None:
    ballast = os.urandom(2**20) * 200
    page = os.sysconf("SC_PAGE_SIZE")
    pages = int(usage.PROC.joinpath("self/statm").read_text().split()[1])
    found = usage.resident(os.getpid())
    # A megabyte, as the kernel adds up only now and then what its processors have counted.
    assert found == pytest.approx(pages * page / 2**20, abs=1)
    assert found > len(ballast) / 2**20


def test_the_peak_stays_when_memory_is_given_back() -> None:
    before = usage.resident(os.getpid())
    ballast = os.urandom(2**20) * 200
    assert usage.peak(os.getpid()) >= before + len(ballast) / 2**20 - 1
    del ballast
    assert usage.resident(os.getpid()) < before + 100
    assert usage.peak(os.getpid()) >= before + 199


def test_what_has_ended_uses_nothing(child: "subprocess.Popen[bytes]") -> None:
    child.kill()
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    with pytest.raises(ProcessLookupError, match="has ended"):  # a zombie
        usage.resident(child.pid)
    child.wait()
    for memory in (usage.resident, usage.peak):
        with pytest.raises(ProcessLookupError, match="has ended"):
            memory(child.pid)
    assert usage.cpu_seconds([child.pid]) == 0
