"""An API server with the definitions of all vendors."""

from collections.abc import Iterator

import pytest
from tools.cluster import settings
from tools.cluster.controlplane import ControlPlane, Options

from flagger_controller.cluster import resources
from flagger_controller.cluster.client import Resource

from ..kinds import PATH, await_served
from .definitions import all_for

NAMESPACE = "shop"


@pytest.fixture(scope="package")
def vendors() -> Iterator[ControlPlane]:
    """With the namespace of the goldens; nothing but the API server runs."""
    try:
        plane = ControlPlane.start(Options(controllers=False))
    except settings.ClusterError as error:
        pytest.skip(f"no control plane: {error}")
    known = [value for value in vars(resources).values() if isinstance(value, Resource)]
    with plane, plane.client() as admin:
        admin.create("/api/v1/namespaces", {"metadata": {"name": NAMESPACE}})
        wanted = all_for({(each.group, each.kind) for each in known})
        for body in wanted:
            admin.create(PATH, body)
        for body in wanted:
            await_served(admin, body)
        yield plane
