"""Child processes: told apart from others with the same id, and ended for certain."""

import dataclasses
import pathlib
import sys
import time

import pytest
from tools.cluster import ports, processes, settings


def start(folder: pathlib.Path, program: str) -> processes.Process:
    argv = [sys.executable, "-c", program]
    command = processes.Command("child", argv, folder / "log", folder)
    return processes.start(command, die_with_parent=True)


def test_a_process_that_ignores_the_request_is_killed(tmp_path: pathlib.Path) -> None:
    program = "import signal, time; signal.signal(15, signal.SIG_IGN); print(1, flush=True)"
    child = start(tmp_path, program + "; time.sleep(600)")
    while not (tmp_path / "log").read_text():
        time.sleep(0.01)
    begun = time.monotonic()
    processes.stop([child], seconds=0.3)
    assert not child.alive
    assert 0.3 <= time.monotonic() - begun < 3


def test_a_recycled_process_id_is_not_ours(tmp_path: pathlib.Path) -> None:
    child = start(tmp_path, "import time; time.sleep(600)")
    assert child.alive
    other = dataclasses.replace(child, started=child.started - 1)
    assert not other.alive
    processes.stop([other], seconds=0.1)
    assert child.alive
    processes.stop([child])


def test_waiting_ends_when_the_process_does(tmp_path: pathlib.Path) -> None:
    child = start(tmp_path, "print('the reason')")
    with pytest.raises(settings.ClusterError, match="child ended:\nthe reason"):
        processes.wait_for("it", lambda: False, [child], 10.0)


def test_notes_come_back_in_the_order_of_starting(tmp_path: pathlib.Path) -> None:
    children = [start(tmp_path, "import time; time.sleep(600)") for _ in range(2)]
    children = [dataclasses.replace(c, name=n) for c, n in zip(children, "ba", strict=True)]
    children[1] = dataclasses.replace(children[1], started=children[1].started + 1)
    for child in children:
        processes.remember(child, tmp_path / "run")
    assert processes.remembered(tmp_path / "run") == children
    processes.stop([children[0], dataclasses.replace(children[1], started=children[1].started - 1)])


def test_free_ports_stay_clear_of_what_kubernetes_and_the_kernel_use() -> None:
    assert all(ports.FIRST <= ports.free("127.0.0.1") <= ports.LAST < 30000 for _ in range(20))
