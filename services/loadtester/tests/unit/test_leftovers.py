"""Groups that outlive their command."""

import shutil
import subprocess
from collections.abc import Callable, Iterator

import pytest

from flagger_loadtester.leftovers import Leftovers

SLEEP = shutil.which("sleep") or "sleep"
Start = Callable[[], "subprocess.Popen[bytes]"]
Eventually = Callable[[Callable[[], object]], None]


@pytest.fixture
def start() -> Iterator[Start]:
    started: list[subprocess.Popen[bytes]] = []

    def sleeper() -> subprocess.Popen[bytes]:
        started.append(subprocess.Popen([SLEEP, "1000"], start_new_session=True))
        return started[-1]

    yield sleeper
    for sleeping in started:
        sleeping.kill()
        sleeping.wait()


def test_a_group_lives_until_its_limit(start: Start, eventually: Eventually) -> None:
    leftovers, late, early = Leftovers(), start(), start()
    leftovers.watch(late.pid, 1000)
    leftovers.watch(early.pid, 0)
    assert early.wait(30) == -9
    eventually(lambda: len(leftovers) == 1)
    assert late.poll() is None
    leftovers.close()
    assert late.wait(30) == -9


def test_a_group_that_ended_is_forgotten(start: Start, eventually: Eventually) -> None:
    leftovers, group = Leftovers(), start()
    leftovers.watch(group.pid, 1000)
    group.kill()
    group.wait()
    eventually(lambda: len(leftovers) == 0)
