"""A wait ends when it cannot come true any more."""

import pathlib
import signal
import socket
import sys
from collections.abc import Iterator
from concurrent import futures

import pytest
from bench.scale.bout import Bout
from bench.scale.errors import Unfinished
from bench.scale.fleet import Fleet
from bench.scale.hands import Hands
from bench.scale.observer import Observer
from services.controller.tests.api.process import Controller, Program, launcher
from tools.cluster.audit import AuditLog

NOTHING = "import time; print('I do nothing', flush=True); time.sleep(600)"


@pytest.fixture
def controller(tmp_path: pathlib.Path) -> Iterator[Controller]:
    program = Program(launcher(sys.executable, "-c", NOTHING), (), "")
    started = Controller(tmp_path / "flagger.kubeconfig", tmp_path / "log", program=program)
    started.launch()
    yield started
    started.kill()


@pytest.fixture
def unanswering() -> Iterator[Observer]:
    """An observer whose list is never answered."""
    with (
        socket.create_server(("127.0.0.1", 0)) as server,
        Observer(f"http://127.0.0.1:{server.getsockname()[1]}", "", "") as eye,
    ):
        yield eye


@pytest.fixture
def bout(tmp_path: pathlib.Path, controller: Controller, unanswering: Observer) -> Iterator[Bout]:
    with futures.ThreadPoolExecutor(1) as pool:
        fleet = Fleet(Hands([], pool), "ours-3", 3)
        audit, log = AuditLog(tmp_path / "audit.log"), str(tmp_path / "log")
        yield Bout(fleet, controller, unanswering, audit, log, patience=0)


def test_until_all_are_there(bout: Bout) -> None:
    counts = iter([3])
    bout.wait("noticed", 3, lambda: next(counts))


def test_until_patience_is_over(bout: Bout) -> None:
    with pytest.raises(Unfinished, match="only 2 of 3 are noticed after 0 s"):
        bout.wait("noticed", 3, lambda: 2)


def test_until_the_controller_has_ended(bout: Bout, controller: Controller) -> None:
    bout.rest(0)
    controller.send(signal.SIGKILL)
    bout.patience = 60
    with pytest.raises(Unfinished, match="the controller has ended"):
        bout.wait("noticed", 3, lambda: 0)


def test_until_the_observer_has_lost_its_place(bout: Bout, unanswering: Observer) -> None:
    bout.rest(0)
    unanswering.cuts += 1
    with pytest.raises(Unfinished, match="was cut off"):
        bout.rest(0)
