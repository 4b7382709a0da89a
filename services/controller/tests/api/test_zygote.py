"""A fork of the zygote is a controller like any other: arguments, log, signals and exit code."""

import pathlib
import signal
import socket
import subprocess
from collections.abc import Iterator

import pytest

from flagger_common.version import __version__

from .process import END_SECONDS, environment
from .zygote import Zygote

pytestmark = pytest.mark.api


@pytest.fixture(scope="module")
def zygote() -> Iterator[Zygote]:
    with Zygote(environment()) as zygote:
        yield zygote


def test_its_output_is_its_own(zygote: Zygote, tmp_path: pathlib.Path) -> None:
    logs = [tmp_path / "one", tmp_path / "other"]
    forks = [zygote.launch(["-version"], log) for log in logs]
    assert [fork.wait(END_SECONDS) for fork in forks] == [0, 0]
    assert [__version__ in log.read_text() for log in logs] == [True, True]


def test_its_exit_code_is_its_own(zygote: Zygote, tmp_path: pathlib.Path) -> None:
    fork = zygote.launch(["-kubeconfig", str(tmp_path / "none")], tmp_path / "log")
    assert fork.wait(END_SECONDS) == 1
    assert fork.poll() == 1
    assert "Error building kubeconfig" in (tmp_path / "log").read_text()


@pytest.fixture
def silent() -> Iterator[str]:
    """An API server that never answers."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"http://127.0.0.1:{server.getsockname()[1]}"


def test_it_can_be_killed(zygote: Zygote, tmp_path: pathlib.Path, silent: str) -> None:
    fork = zygote.launch(["-master", silent], tmp_path / "log")
    assert fork.poll() is None
    with pytest.raises(subprocess.TimeoutExpired):
        fork.wait(0)
    fork.send_signal(signal.SIGKILL)
    assert fork.wait(END_SECONDS) == -signal.SIGKILL
    fork.send_signal(signal.SIGKILL)  # it has gone: nothing happens
