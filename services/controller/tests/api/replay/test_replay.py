"""The recordings of upstream, replayed: same statuses, events, hook calls, alerts and objects.

What differs on purpose is in `departures.py`, with the sharp edge that it fixes, and in
docs/compatibility.md. All scenarios run at the same time in one controller, as they were recorded.
"""

import json
import pathlib
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import pytest
import requests
import yaml
from tools.cluster.controlplane import ControlPlane

from ..process import Controller
from . import departures
from .crds import KINDS, definition
from .mirror import Mirror
from .normal import patient
from .player import Cluster, Player
from .receivers import Receivers
from .states import merged, snapshots

pytestmark = [pytest.mark.api, pytest.mark.timeout(600)]

HERE = pathlib.Path(__file__).parent
ROOT = HERE.parents[4]
NAMES = sorted(path.stem for path in (HERE / "recordings").glob("*.json"))
AT_ONCE = 24
"""Scenarios at the same time: more and the API server of a small machine is the bottleneck."""
RESTARTING = "restart-progressing"


def recording(name: str) -> dict[str, Any]:
    document: dict[str, Any] = json.loads((HERE / "recordings" / f"{name}.json").read_text())
    return document


def flags(url: str) -> list[str]:
    return [
        *("-mesh-provider=istio", "-ingress-class=contour"),
        "-include-label-prefix=app.kubernetes.io,team",
        *(f"-slack-url={url}/slack", "-slack-channel=general", "-cluster-name=rig"),
        *(f"-event-webhook={url}/events", f"-metrics-server={url}/prometheus"),
        *("-interval-floor=1", "-log-level=info"),
    ]


@pytest.fixture(scope="module")
def replay(
    control_plane: ControlPlane, tmp_path_factory: pytest.TempPathFactory
) -> "Iterator[Replay]":
    """Every scenario played, with its failure if it got stuck, and the series at the end."""
    logs = tmp_path_factory.mktemp("logs")
    with control_plane.client() as admin, Receivers() as receivers:
        _install(admin)
        mirror = Mirror(control_plane.url, control_plane.token, str(control_plane.ca_file))
        mirror.start()
        controller = Controller(
            control_plane.kubeconfig_of("flagger"), logs / "flagger.log", *flags(receivers.url)
        )

        def restart(_: str) -> None:
            controller.kill()
            controller.start()

        cluster = Cluster(admin, mirror, receivers, restart)
        players = {name: Player(recording(name)["scenario"], cluster) for name in NAMES}
        alone = players.pop(RESTARTING)
        try:
            controller.start()
            played = _play([*players.values()])
            series = controller.metrics()
            played |= _play([alone])  # it kills the controller
            yield Replay(played, series)
        finally:
            controller.stop()
            mirror.stop()
            for player in [*players.values(), alone]:
                player.clean()


def _install(admin: Any) -> None:
    path = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
    crds = ROOT / "charts" / "flagger" / "crds" / "crd.yaml"
    ours = [body for body in yaml.safe_load_all(crds.read_text()) if body]
    for body in [*ours, *(definition(*kind) for kind in KINDS)]:
        name = body["metadata"]["name"]
        if admin.find(f"{path}/{name}") is None:
            admin.create(path, body)
    for body in [*ours, *(definition(*kind) for kind in KINDS)]:
        _wait_until_served(admin, body)


def _wait_until_served(admin: Any, body: dict[str, Any]) -> None:
    spec = body["spec"]
    path = f"/apis/{spec['group']}/{spec['versions'][0]['name']}/{spec['names']['plural']}"
    deadline = time.monotonic() + 30
    while not _is_served(admin, path):
        assert time.monotonic() < deadline, f"{path} is not served"
        time.sleep(0.1)


def _is_served(admin: Any, path: str) -> bool:
    try:
        return admin.find(path) is not None
    except requests.HTTPError as error:
        if error.response is not None and error.response.status_code == 429:
            return False  # the storage of a new kind is being initialised
        raise


Played = dict[str, tuple[Player, BaseException | None]]


def _play(players: list[Player]) -> Played:
    def play(player: Player) -> BaseException | None:
        try:
            player.play()
        except (AssertionError, OSError) as error:
            return error
        return None

    with ThreadPoolExecutor(AT_ONCE) as pool:
        outcomes = list(pool.map(play, players))
    return {player.name: (player, error) for player, error in zip(players, outcomes, strict=True)}


@dataclass
class Replay:
    """All scenarios after they were played."""

    played: Played
    series: dict[str, float]

    def of(self, name: str) -> Player:
        player, error = self.played[name]
        if error is not None:
            raise AssertionError(f"{name} got stuck: {error}")
        return player


def _queries(name: str) -> list[str]:
    return list(recording(name)["recording"].get("queries", []))


def _patient(alerts: dict[str, list[str]]) -> dict[str, list[str]]:
    return {channel: [patient(text) for text in texts] for channel, texts in alerts.items()}


@pytest.mark.parametrize("name", NAMES)
def test_statuses(replay: Replay, name: str) -> None:
    expected = departures.statuses(name, recording(name)["recording"]["status"]["podinfo"])
    assert replay.of(name).statuses() == expected


@pytest.mark.parametrize("name", NAMES)
def test_events(replay: Replay, name: str) -> None:
    player = replay.of(name)
    expected = departures.events(name, recording(name)["recording"]["events"]["podinfo"])
    hooks = player.cluster.receivers.url
    assert player.events() == [text.replace(departures.RECEIVERS, hooks) for text in expected]


@pytest.mark.parametrize("name", NAMES)
def test_calls(replay: Replay, name: str) -> None:
    player, recorded = replay.of(name), recording(name)["recording"]
    assert departures.checksums(player.script.hooks) == departures.hooks(
        name, recorded.get("hooks", [])
    )
    if name not in departures.OTHERWISE:
        assert player.script.queries == departures.queries(name, _queries)
    expected = departures.alerts(name, recorded.get("alerts", {}))
    assert _patient(player.script.alerts) == _patient(expected)


@pytest.mark.parametrize("name", [name for name in NAMES if name not in departures.OTHERWISE])
def test_objects(replay: Replay, name: str) -> None:
    expected = merged(departures.snapshots(name, recording(name)["recording"]["snapshots"]))
    assert snapshots(replay.of(name).windows(), expected) == expected


@pytest.mark.parametrize("name", [name for name in NAMES if name != RESTARTING])
def test_series(replay: Replay, name: str) -> None:
    expected = departures.series(name, recording(name)["recording"]["metrics"])
    found = {key: value for key, value in replay.series.items() if f'namespace="{name}"' in key}
    assert {key: found.get(key) for key in expected} == expected
