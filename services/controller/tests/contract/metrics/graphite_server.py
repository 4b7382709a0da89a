"""A Graphite on the loopback interface: carbon takes points, graphite-web answers queries.

The programs are Debian's. graphite-web reads the files only and does not ask carbon for what is
not yet written, so what was seen once stays.
"""

import contextlib
import pathlib
import socket
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Final

import requests
from tools.cluster import packages, ports, processes

from flagger_controller.metrics import web

HOST: Final = "127.0.0.1"
PYTHON: Final = "/usr/bin/python3"
"""Debian's, which has Debian's packages."""
FRONT: Final = pathlib.Path(__file__).with_name("graphite_front.py")
LOGIN: Final = ("flagger", "hidden-word")
STEP: Final = 10
"""Seconds between two points of a series."""
REACH: Final = 1200
"""Points are from so many seconds ago until so many from now, however long the tests take."""
START_SECONDS: Final = 90.0
ASK_SECONDS: Final = 30.0

Series = Mapping[str, float]
"""Names, and the value that each has all the time."""

CARBON: Final = """\
[cache]
STORAGE_DIR = {folder}
LOCAL_DATA_DIR = {folder}/whisper
CONF_DIR = {folder}
LOG_DIR = {folder}
PID_DIR = {folder}
LINE_RECEIVER_INTERFACE = {host}
LINE_RECEIVER_PORT = {port}
PICKLE_RECEIVER_PORT = 0
CACHE_QUERY_PORT = 0
MAX_CREATES_PER_MINUTE = inf
CARBON_METRIC_INTERVAL = 0
ENABLE_TAGS = False
USER =
"""
SCHEMAS: Final = f"""\
[all]
pattern = .*
retentions = {STEP}s:1h
"""
WEB: Final = """\
SECRET_KEY = "of a test"
TIME_ZONE = "UTC"
STORAGE_DIR = LOG_DIR = "{folder}"
WHISPER_DIR = "{folder}/whisper"
CARBONLINK_HOSTS = []
"""


@contextlib.contextmanager
def running(folder: pathlib.Path, steady: Series, ended: Series) -> Iterator[str]:
    """Run a server until the end of the block, and give its address.

    Args:
        folder: for its configuration and its data.
        steady: what it has until long after the tests.
        ended: what it has until some minutes before now.

    Raises:
        ClusterError: a program is missing and cannot be installed, or does not start.
    """
    packages.ensure(packages.GRAPHITE)
    receiver, port = ports.free(HOST), ports.free(HOST)
    (folder / "whisper").mkdir()
    (folder / "carbon.conf").write_text(CARBON.format(folder=folder, host=HOST, port=receiver))
    (folder / "storage-schemas.conf").write_text(SCHEMAS)
    (folder / "local_settings.py").write_text(WEB.format(folder=folder))
    now = int(time.time()) // STEP * STEP
    first = now - REACH
    lines = [*_lines(steady, first, now + REACH), *_lines(ended, first, now - REACH // 2)]
    names = [*steady, *ended]
    started: list[processes.Process] = []
    try:
        config = f"--config={folder / 'carbon.conf'}"
        carbon = [packages.path("carbon-cache"), config, "--nodaemon", "start"]
        started.append(_start("carbon-cache", carbon, folder))
        front = [PYTHON, "-P", str(FRONT), str(port), web.basic(*LOGIN)]
        started.append(_start("graphite-web", front, folder))
        url = f"http://{HOST}:{port}"
        _await("carbon", lambda: _sent(receiver, "".join(lines)), started)
        _await("points", lambda: all(_has(url, name, first) for name in names), started)
        yield url
    finally:
        processes.stop(started)


def _lines(series: Series, first: int, last: int) -> Iterator[str]:
    """The oldest point comes last: whoever sees it knows that the others are there."""
    for name, value in series.items():
        for moment in range(last, first - STEP, -STEP):
            yield f"{name} {value} {moment}\n"


def _start(name: str, argv: list[str], folder: pathlib.Path) -> processes.Process:
    environment = {"GRAPHITE_SETTINGS_MODULE": "local_settings", "PYTHONPATH": str(folder)}
    log = folder / f"{name}.log"
    command = processes.Command(name, argv, log, folder, environment)
    return processes.start(command, die_with_parent=True)


def _await(what: str, ready: Callable[[], bool], started: list[processes.Process]) -> None:
    processes.wait_for(what, ready, started, START_SECONDS)


def _sent(port: int, lines: str) -> bool:
    """Give carbon points, unless it does not listen yet."""
    try:
        with socket.create_connection((HOST, port), ASK_SECONDS) as connection:
            connection.sendall(lines.encode())
    except ConnectionRefusedError:
        return False
    return True


def _has(url: str, name: str, moment: int) -> bool:
    """Whether the server shows the point of a series at a time."""
    window = {"from": str(moment - STEP), "until": str(moment)}
    query = {"target": name, "format": "json", **window}
    try:
        reply = requests.get(f"{url}/render", query, auth=LOGIN, timeout=ASK_SECONDS)
    except requests.ConnectionError:
        return False
    reply.raise_for_status()
    return any(point[0] is not None for each in reply.json() for point in each["datapoints"])
