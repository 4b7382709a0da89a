"""compose.yaml, brought up in two ways: as it is, by an engine, and as plain processes.

Plain processes have the command lines, environment, files and ports of compose.yaml. What the
network and the file systems of containers would do is done to them: a published port is a free one
here, the name of a service is `localhost` with its port, and a mount point is a folder of the test.
"""

import contextlib
import os
import pathlib
import re
import shlex
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

import requests
import yaml
from tools.cluster import packages, ports, processes, settings
from tools.cluster.images import catalog, engine, suite

FILE: Final = settings.REPOSITORY / "compose.yaml"
START_SECONDS: Final = 120.0
NOWHERE: Final = "localhost:1"
"""Services of a profile that is off are asked by Prometheus, too."""
LISTEN: Final[Mapping[str, Callable[[int], list[str]]]] = {
    "loadtester": lambda port: ["-address=127.0.0.1", f"-port={port}"],
    "gatekeeper": lambda port: [f"-port={port}"],
    "prometheus": lambda port: [f"--web.listen-address=127.0.0.1:{port}"],
    "podinfo": lambda port: [],
}
"""Flags behind those of compose.yaml: the last one of a kind counts."""


def document() -> dict[str, Any]:
    """compose.yaml, with the defaults of its variables in their places."""
    found: dict[str, Any] = _defaults(yaml.safe_load(FILE.read_text()))
    return found


def _defaults(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _defaults(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [_defaults(inner) for inner in value]
    return re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", value) if isinstance(value, str) else value


@dataclass(frozen=True)
class Running:
    """Where the services are."""

    outside: Mapping[str, str]
    """Service: `host:port` for us."""
    published: Mapping[str, str]
    """`localhost:port` of compose.yaml: the same for us."""
    inside: Mapping[str, str]
    """`service:port` of compose.yaml: the same for the other services."""

    def get(self, service: str, path: str) -> requests.Response:
        """Ask a service."""
        return requests.get(f"http://{self.outside[service]}{path}", timeout=30)

    def documented(self, word: str) -> list[str]:
        """The one curl command in the head of compose.yaml that has the word."""
        (line,) = re.findall(rf"^#   (curl .*{re.escape(word)}.*)$", FILE.read_text(), re.MULTILINE)
        for name, address in {**self.published, **self.inside}.items():
            line = line.replace(name, address)
        return shlex.split(line)


@contextlib.contextmanager
def as_processes(folder: pathlib.Path) -> Iterator[Running]:
    """Start everything that belongs to no profile; stop it at the end of the block.

    Raises:
        ClusterError: a service ends, or is not healthy in time; the text has the tails of the logs.
    """
    packages.ensure(packages.PROMETHEUS)
    compose = document()
    services = {n: s for n, s in compose["services"].items() if "profiles" not in s}
    free = {name: ports.free("127.0.0.1") for name in services}
    inside, published = {}, {}
    for name, service in compose["services"].items():
        (port,) = service["ports"]
        _, outer, inner = port.split(":")
        here = f"localhost:{free[name]}" if name in free else NOWHERE
        published[f"localhost:{outer}"] = inside[f"{name}:{inner}"] = here
    running: list[processes.Process] = []
    try:
        for name, service in services.items():
            places = _places(service, compose, folder, inside)
            argv = [*_program(name), *(_placed(a, places) for a in service.get("command", ()))]
            environment = {
                **service.get("environment", {}),
                **_environment(name, free[name], folder),
            }
            command = processes.Command(
                name,
                [*argv, *LISTEN[name](free[name])],
                folder / f"{name}.log",
                folder,
                environment,
            )
            running.append(processes.start(command, die_with_parent=True))
        outside = {name: f"127.0.0.1:{port}" for name, port in free.items()}
        found = Running(outside, published, inside)
        processes.wait_for("compose", lambda: _healthy(found, services), running, START_SECONDS)
        yield found
    finally:
        processes.stop(running)


@contextlib.contextmanager
def as_containers(folder: pathlib.Path) -> Iterator[Running]:
    """Build the images and start the containers; at the end remove them with their volumes.

    Raises:
        ClusterError: an image cannot be built, or a container not be started.
    """
    suite.build([target for target in suite.TARGETS if target in LISTEN])
    engine.docker("load", "--quiet", "--input", str(catalog.image(catalog.PROMETHEUS_IMAGE)))
    # Ours has no wget, and no folder of its user to begin the volume with.
    prometheus = {
        "image": catalog.PROMETHEUS_IMAGE,
        "user": "0:0",
        "healthcheck": {"disable": True},
    }
    override = folder / "override.yaml"
    override.write_text(yaml.safe_dump({"services": {"prometheus": prometheus}}))
    compose = ("compose", f"--file={FILE}", f"--file={override}", "--project-name=flagger-test")
    services = {n: s for n, s in document()["services"].items() if n in LISTEN}
    outside = {n: s["ports"][0].rpartition(":")[0] for n, s in services.items()}
    found = Running(outside, {}, {})
    try:
        engine.docker(*compose, "up", "--detach", "--no-build", "--pull=never")
        processes.wait_for("compose", lambda: _healthy(found, services), [], START_SECONDS)
        yield found
    finally:
        engine.docker(*compose, "down", "--volumes", "--timeout=90")


def obstacle() -> str | None:
    """Why there can be no containers here; our own engine has no networks for them."""
    if engine.host():
        return "containers need networks, which the engine of the test cluster does not have"
    for argv in (["docker", "compose", "version"], ["docker", "info"]):
        try:
            done = subprocess.run(argv, capture_output=True, text=True, timeout=60)
        except FileNotFoundError:
            return "no docker"
        if done.returncode:
            return f"`{' '.join(argv)}`: {done.stderr.strip()[-200:]}"
    return None


def _healthy(running: Running, services: Mapping[str, Any]) -> bool:
    """Whether the health check of each service would succeed."""
    for name, service in services.items():
        path = "/" + service["healthcheck"]["test"][-1].split("/", 3)[3]
        try:
            if not running.get(name, path).ok:
                return False
        except requests.ConnectionError:
            return False
    return True


def _program(name: str) -> list[str]:
    if name == "prometheus":
        return [packages.path("prometheus")]
    return [sys.executable, "-m", name if name == "podinfo" else f"flagger_{name}"]


def _environment(name: str, port: int, folder: pathlib.Path) -> dict[str, str]:
    """What only a process needs."""
    if name == "podinfo":  # takes no flags, and is installed nowhere but in its image
        path = [str(settings.REPOSITORY / "examples/podinfo"), os.getenv("PYTHONPATH", "")]
        return {"PODINFO_PORT": str(port), "PYTHONPATH": ":".join(filter(None, path))}
    if name == "loadtester":  # services are `localhost` here, which is none in strict mode
        policy = folder / "policy.yaml"
        policy.write_text(yaml.safe_dump({"namespaces": {"*": {"hosts": ["localhost"]}}}))
        return {"LOADTESTER_POLICY_FILE": str(policy)}
    return {}


def _places(
    service: Mapping[str, Any],
    compose: Mapping[str, Any],
    folder: pathlib.Path,
    inside: Mapping[str, str],
) -> dict[str, str]:
    """Mount points in the container, and what is there for a process."""
    places = {}
    for volume in service.get("volumes", ()):
        name, target = volume.split(":")
        (folder / name).mkdir()
        places[target] = str(folder / name)
    for mounted in service.get("configs", ()):
        text = compose["configs"][mounted["source"]]["content"]
        for name, address in inside.items():
            text = text.replace(name, address)
        path = folder / pathlib.Path(mounted["target"]).name
        path.write_text(text)
        places[mounted["target"]] = str(path)
    return places


def _placed(argument: str, places: Mapping[str, str]) -> str:
    flag, equals, value = argument.partition("=")
    for target, here in places.items():
        if value == target or value.startswith(f"{target}/"):
            return f"{flag}{equals}{here}{value.removeprefix(target)}"
    return argument
