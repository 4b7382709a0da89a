"""Brings up cluster and suite once a session, gives each test a namespace of its own."""

import contextlib
import pathlib
import sys
import threading
from collections.abc import Callable, Generator, Iterator

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).parents[1]))

from e2e.suite import (
    access,
    dataplanes,
    diagnosis,
    history,
    images,
    ingress,
    install,
    kube,
    podinfo,
)
from e2e.suite.namespaces import Maker, gone

# Else a claim that does not hold would fail without what was found instead.
pytest.register_assert_rewrite("e2e.tests.plays")

HERE = pathlib.Path(__file__).parent
TEST_SECONDS = 600
"""Without bringing up cluster and suite: the first time they are built."""


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "smoke: one release promoted, one rolled back")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.cluster)
            item.add_marker(pytest.mark.timeout(TEST_SECONDS, func_only=True))


@pytest.fixture(scope="session")
def reach(request: pytest.FixtureRequest) -> access.Access:
    reason = access.obstacle()
    if reason:
        pytest.skip(reason)
    with shown(request):
        return install.up()


def shown(request: pytest.FixtureRequest) -> contextlib.AbstractContextManager[None]:
    """Let the person at the terminal see why minutes pass the first time."""
    capture = request.config.pluginmanager.getplugin("capturemanager")
    assert capture
    found: contextlib.AbstractContextManager[None] = capture.global_and_fixture_disabled()
    return found


@pytest.fixture(scope="session")
def api(reach: access.Access) -> Iterator[kube.Kube]:
    found = kube.Kube(reach.kubeconfig)
    yield found
    for thread in threading.enumerate():
        if thread.name.startswith(history.THREADS):
            thread.join()
    found.close()


@pytest.fixture(scope="session")
def built(reach: access.Access) -> images.Images:
    return images.built()


@pytest.fixture(scope="session")
def namespaces(api: kube.Kube) -> Iterator[list[str]]:
    made: list[str] = []
    yield made
    gone(api, made)


@pytest.fixture(scope="session")
def entry(api: kube.Kube) -> tuple[str, int]:
    return ingress.find(api)


@pytest.fixture(scope="module")
def data_plane(
    api: kube.Kube, request: pytest.FixtureRequest
) -> Iterator[Callable[[str], tuple[str, int]]]:
    """Return what installs a data plane until the module ends; it returns host and port.

    A module that plays on another one than Traefik has a fixture `entry` of its own with that.
    """
    with contextlib.ExitStack() as stack:

        def installed(name: str) -> tuple[str, int]:
            with shown(request):
                return stack.enter_context(dataplanes.installed(api, name))

        yield installed


@pytest.fixture
def make(
    api: kube.Kube,
    entry: tuple[str, int],
    namespaces: list[str],
    request: pytest.FixtureRequest,
) -> Iterator[Maker]:
    maker = Maker(api, entry, request.node.name)
    yield maker
    maker.close()
    namespaces += [app.namespace for app, _ in maker.made]


@pytest.fixture
def pair(make: Maker) -> tuple[podinfo.App, history.History]:
    return make()


@pytest.fixture
def app(pair: tuple[podinfo.App, history.History]) -> podinfo.App:
    return pair[0]


@pytest.fixture
def past(pair: tuple[podinfo.App, history.History]) -> history.History:
    return pair[1]


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Show what the cluster looked like when a test failed: its namespaces are gone afterwards."""
    report = yield
    maker = getattr(item, "funcargs", {}).get("make")
    if report.when == "call" and report.failed and maker:
        for app, past in maker.made:
            text = f"{past.describe()}\n{diagnosis.describe(app.api, app.namespace)}"
            report.sections.append((app.namespace, text))
    return report
