"""The stores that outlive a process, and that processes share."""

import pathlib

import pytest


@pytest.fixture(params=["sqlite", pytest.param("kubernetes", marks=pytest.mark.api)])
def arguments(request: pytest.FixtureRequest, tmp_path: pathlib.Path) -> list[str]:
    """Return the flags of a durable store."""
    if request.param == "sqlite":
        return ["-store=sqlite", f"-store-dsn={tmp_path / 'gates.sqlite'}"]
    plane = request.getfixturevalue("plane")
    namespace = request.getfixturevalue("namespace")
    kubeconfig = plane.kubeconfig_of("gatekeeper")
    return ["-store=kubernetes", f"-store-namespace={namespace}", f"-kubeconfig={kubeconfig}"]
