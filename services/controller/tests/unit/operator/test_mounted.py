"""The login of the metrics server: a mounted Secret that changes, and who gets it (M26)."""

import os
import pathlib
import shutil
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from pytest_httpserver import HTTPServer

from flagger_controller import net
from flagger_controller.api.canary import Canary
from flagger_controller.cluster.fake import FakeApi
from flagger_controller.errors import ConfigError
from flagger_controller.metrics.evaluate import Evaluator
from flagger_controller.metrics.recorder import Recorder
from flagger_controller.operator import wiring
from flagger_controller.operator.mounted import MountedSecret
from flagger_controller.operator.settings import Settings
from flagger_controller.rollout.evidence import Answer, Measured, MetricPart, Unmeasured

SUCCESS = {"name": "request-success-rate"}


class Volume:
    """A Secret volume, changed as the kubelet changes one: all keys at once, by a link."""

    def __init__(self, folder: pathlib.Path) -> None:
        self.folder = folder
        self._version = 0
        folder.mkdir()

    def write(self, **keys: str) -> None:
        before = self.folder / f"..{self._version}"
        self._version += 1
        files = self.folder / f"..{self._version}"
        files.mkdir()
        for key, value in keys.items():
            (files / key).write_text(value)
            link = self.folder / key
            if not link.is_symlink():
                link.symlink_to(f"..data/{key}")
        (self.folder / "..new").symlink_to(files.name)
        os.replace(self.folder / "..new", self.folder / "..data")
        shutil.rmtree(before, ignore_errors=True)

    def vanish(self) -> None:
        """The version that was read is already gone."""
        shutil.rmtree(self.folder / f"..{self._version}")


@pytest.fixture
def volume(tmp_path: pathlib.Path) -> Volume:
    return Volume(tmp_path / "login")


def test_the_keys_of_the_version_that_is_mounted(volume: Volume) -> None:
    volume.write(username="me", password="one")
    secret = MountedSecret(str(volume.folder))
    assert secret() == {"username": "me", "password": "one"}
    volume.write(username="you", password="two")
    assert secret() == {"username": "you", "password": "two"}
    volume.write(token="three")
    assert secret() == {"token": "three"}


def test_any_folder_will_do(tmp_path: pathlib.Path) -> None:
    (tmp_path / "token").write_text("abc\n")
    (tmp_path / "folder").mkdir()
    assert MountedSecret(str(tmp_path))() == {"token": "abc\n"}


def test_a_version_that_is_being_replaced_is_good_for_a_while(volume: Volume) -> None:
    volume.write(token="one")
    secret = MountedSecret(str(volume.folder))
    assert secret() == {"token": "one"}
    volume.vanish()
    assert secret() == {"token": "one"}


def test_nothing_there_is_an_error(tmp_path: pathlib.Path) -> None:
    missing = tmp_path / "missing"
    text = f"^the mounted Secret {missing}: No such file or directory$"
    with pytest.raises(ConfigError, match=text):
        MountedSecret(str(missing))()
    with pytest.raises(ConfigError, match=f"^the mounted Secret {tmp_path} has no keys$"):
        MountedSecret(str(tmp_path))()


class Server:
    """A Prometheus, and who asked it."""

    def __init__(self, server: HTTPServer) -> None:
        self._server = server
        answer = {"data": {"result": [{"value": [1, "1"]}]}}
        server.expect_request("/api/v1/query").respond_with_json(answer)
        self.url = server.url_for("").rstrip("/")
        self.other = self.url.replace("localhost", "127.0.0.1")
        """The same one by another name."""

    @property
    def login(self) -> str | None:
        """With which the last request came."""
        return self._server.log[-1][0].headers.get("Authorization")


@pytest.fixture
def server(httpserver: HTTPServer) -> Server:
    return Server(httpserver)


Make = Callable[[str], Evaluator]


@pytest.fixture
async def evaluator(volume: Volume) -> AsyncIterator[Make]:
    """The evaluator of a process with this metrics server and the volume as its login."""
    async with net.Http() as http:

        def make(address: str) -> Evaluator:
            given = Settings(metrics_server=address, metrics_server_secret=str(volume.folder))
            engine = wiring.build(given, FakeApi(), http, Recorder("0.1.0", "istio"))
            return engine.evaluator

        yield make


def canary(**spec: Any) -> Canary:
    target = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "podinfo"}
    analysis = {"metrics": [SUCCESS]}
    body = {"targetRef": target, "service": {"port": 80}, "analysis": analysis, **spec}
    return Canary.from_api({"metadata": {"name": "podinfo", "namespace": "shop"}, "spec": body})


async def measured(evaluator: Evaluator, asked: Canary) -> Measured | Unmeasured:
    return await evaluator.measure(asked, asked.analysis.metrics[0], MetricPart.BUILTIN)


async def test_the_metrics_server_gets_the_login_that_counts(
    evaluator: Make, volume: Volume, server: Server
) -> None:
    ours = evaluator(server.url)
    volume.write(username="me", password="p")
    await ours.probe()
    assert server.login == "Basic bWU6cA=="
    volume.write(token="abc\n")
    assert await measured(ours, canary()) == Measured(1)
    assert server.login == "Bearer abc"
    assert await ours.check_providers(canary()) == Answer(ok=True)
    assert server.login == "Bearer abc"


async def test_a_canarys_own_server_gets_no_login(
    evaluator: Make, volume: Volume, server: Server
) -> None:
    volume.write(token="abc")
    ours = evaluator(server.url)
    assert await measured(ours, canary(metricsServer=server.other)) == Measured(1)
    assert server.login is None
    assert await ours.check_providers(canary(metricsServer=server.other)) == Answer(ok=True)
    assert server.login is None


async def test_a_login_that_is_not_there_is_told(
    evaluator: Make, volume: Volume, server: Server
) -> None:
    ours, cause = evaluator(server.url), f"the mounted Secret {volume.folder} has no keys"
    title = f"Error building Prometheus client for {server.url}"
    assert await measured(ours, canary()) == Unmeasured(f"{title} {cause}", failed=True)
    checked = Answer(ok=False, error=f"prometheus not avaiable: {cause}")
    assert await ours.check_providers(canary()) == checked
    with pytest.raises(ConfigError, match="has no keys"):
        await ours.probe()
    volume.write(username="me")
    cause = "prometheus credentials does not contain a password"
    assert await measured(ours, canary()) == Unmeasured(f"{title} {cause}", failed=True)
