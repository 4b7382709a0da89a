"""Starting gunicorn: turns a service's settings into the command and environment of the server.

The process replaces itself, so gunicorn's master is process 1 of a container and gets its signals.
"""

import dataclasses
import os
import socket
import sys
from typing import NoReturn


@dataclasses.dataclass(frozen=True)
class Server:
    """How a companion is served."""

    app: str
    """Where gunicorn finds the application, ``package.wsgi:app``."""

    port: int
    """TCP port to listen on."""

    address: str = ""
    """Address to listen on; empty means all interfaces, IPv6 included where the kernel has it."""

    threads: int = 32
    """Requests handled at the same time; blocking tasks take one each."""

    graceful_seconds: int = 60
    """How long running requests may take after SIGTERM."""

    log_level: str = "info"
    """See `logs.level`."""

    log_encoding: str = "json"
    """``json`` or ``console``."""

    def argv(self) -> list[str]:
        """Return the command of the server, run by this interpreter."""
        return [
            sys.executable,
            "-m",
            "gunicorn",
            "-c",
            "python:flagger_common.gunicorn_conf",
            self.app,
        ]

    def environ(self) -> dict[str, str]:
        """Return the variables that `gunicorn_conf` reads."""
        return {
            "FLAGGER_HTTP_BIND": f"{self.address or _all_interfaces()}:{self.port}",
            "FLAGGER_HTTP_THREADS": str(self.threads),
            "FLAGGER_HTTP_GRACEFUL_SECONDS": str(self.graceful_seconds),
            "FLAGGER_LOG_LEVEL": self.log_level,
            "FLAGGER_LOG_ENCODING": self.log_encoding,
        }

    def exec(self, environ: dict[str, str]) -> NoReturn:
        """Become the server.

        Args:
            environ: the service's own settings, added to the inherited environment.
        """
        env = {**os.environ, **environ, **self.environ()}
        env.pop("GUNICORN_CMD_ARGS", None)  # would override the configuration, see gunicorn_conf
        os.execve(sys.executable, self.argv(), env)  # noqa: S606 - our own interpreter, no shell


def _all_interfaces() -> str:
    return "[::]" if socket.has_dualstack_ipv6() else "0.0.0.0"  # noqa: S104 - a pod's service
