"""A real API server, real gatekeeper processes, and the three stores behind one interface."""

import pathlib
from collections.abc import Callable, Iterator

import pytest
from tools.cluster import controlplane, settings

from . import servers


@pytest.fixture(scope="session")
def plane() -> Iterator[controlplane.ControlPlane]:
    """One API server for all tests; `gatekeeper` has no rights but those a test gives it."""
    users = {"gatekeeper": "companions", "stranger": "companions"}
    options = controlplane.Options(users=users, controllers=False)
    try:
        running = controlplane.ControlPlane.start(options)
    except settings.ClusterError as error:
        pytest.skip(f"no control plane: {error}")
    with running:
        yield running


@pytest.fixture
def namespace(plane: controlplane.ControlPlane) -> str:
    """A fresh namespace where the user `gatekeeper` has the rights of the README."""
    return servers.namespace(plane)


@pytest.fixture
def gatekeepers(tmp_path: pathlib.Path) -> Iterator[Callable[..., servers.Gatekeeper]]:
    """Start gatekeeper processes; they end with the test."""
    running: list[servers.Gatekeeper] = []

    def start(*arguments: str) -> servers.Gatekeeper:
        gatekeeper = servers.Gatekeeper(
            list(arguments), tmp_path / f"gatekeeper-{len(running)}.log"
        )
        running.append(gatekeeper)
        gatekeeper.start()
        return gatekeeper

    yield start
    for gatekeeper in running:
        gatekeeper.kill()
