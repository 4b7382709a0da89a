"""What the environment says about this release of the demo application."""

import math
import os
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum


class Readiness(StrEnum):
    """What `/readyz` does."""

    OK = "ok"
    FAIL = "fail"
    HANG = "hang"


@dataclass(frozen=True)
class Settings:
    """One release: read once, at start."""

    version: str = "1.0.0"
    """`PODINFO_VERSION`: in the body of `/` and in the header `X-Version`."""
    color: str = "#34577c"
    """`PODINFO_COLOR`: in the body of `/` and in the header `X-Color`."""
    message: str = "greetings from podinfo"
    """`PODINFO_MESSAGE`: in the body of `/`."""
    hostname: str = "localhost"
    """The pod's name, to see which pod answered."""
    port: int = 9898
    """`PODINFO_PORT`: all interfaces; 0 lets the kernel choose."""
    ready: Readiness = Readiness.OK
    """`PODINFO_READY`: `ok`, `fail` (503) or `hang` (no answer): a release that never starts."""
    fail: int = 0
    """`PODINFO_FAIL`: the status `/` answers with, a release with a fault; 0 means none."""
    fail_rate: float = 1.0
    """`PODINFO_FAIL_RATE`: the share of requests to `/` that get `fail`, 0 to 1."""
    delay: float = 0.0
    """`PODINFO_DELAY`: seconds before `/` is answered, a release that became slow."""
    drain: float = 5.0
    """`PODINFO_DRAIN`: seconds after SIGTERM in which new connections are still accepted, as
    proxies and kube-proxy learn only later that the pod is gone."""
    grace: float = 20.0
    """`PODINFO_GRACE`: seconds after SIGTERM when the process ends whatever is still running."""


def _number(environment: Mapping[str, str], name: str, default: float, top: float) -> float:
    text = environment.get(name) or str(default)
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 <= value <= top:
        raise SystemExit(f"{name}: {text!r} is not a number from 0 to {top:g}")
    return value


def _port(environment: Mapping[str, str]) -> int:
    """Read the port; a Service called podinfo gives its pods another variable of this name."""
    if environment.get("PODINFO_PORT", "").startswith("tcp://"):
        return Settings.port
    return int(_number(environment, "PODINFO_PORT", Settings.port, 65535))


def _readiness(environment: Mapping[str, str]) -> Readiness:
    text = environment.get("PODINFO_READY") or Readiness.OK
    try:
        return Readiness(text)
    except ValueError:
        raise SystemExit(f"PODINFO_READY: {text!r} is not ok, fail or hang") from None


def from_environment(environment: Mapping[str, str] = os.environ) -> Settings:
    """Read the settings; end the process with a message when one makes no sense."""
    fail = int(_number(environment, "PODINFO_FAIL", 0, 599))
    if 0 < fail < 200:
        raise SystemExit(f"PODINFO_FAIL: {fail} is not a status from 200 to 599")
    return Settings(
        version=environment.get("PODINFO_VERSION") or Settings.version,
        color=environment.get("PODINFO_COLOR") or Settings.color,
        message=environment.get("PODINFO_MESSAGE") or Settings.message,
        hostname=environment.get("HOSTNAME") or socket.gethostname(),
        port=_port(environment),
        ready=_readiness(environment),
        fail=fail,
        fail_rate=_number(environment, "PODINFO_FAIL_RATE", Settings.fail_rate, 1),
        delay=_number(environment, "PODINFO_DELAY", Settings.delay, 3600),
        drain=_number(environment, "PODINFO_DRAIN", Settings.drain, 3600),
        grace=_number(environment, "PODINFO_GRACE", Settings.grace, 3600),
    )
