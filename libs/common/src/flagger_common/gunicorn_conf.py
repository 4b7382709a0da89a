"""The gunicorn configuration of the three companions, read by gunicorn as ``python:`` module.

Values come from ``FLAGGER_HTTP_*`` and ``FLAGGER_LOG_*``, set by `serving.Server`. One process:
gates, de-duplication and running tasks live in its memory, so it is scaled by threads and replicas.
Nothing recycles or kills a busy worker, as that would lose running tasks.
"""

import os
import signal
import tempfile
from types import FrameType
from typing import Any

from . import flaskkit, logs

bind = os.environ.get("FLAGGER_HTTP_BIND", "127.0.0.1:9090")
worker_class = "gthread"
workers = 1
threads = int(os.environ.get("FLAGGER_HTTP_THREADS", "32"))
worker_connections = 1000
timeout = 0
graceful_timeout = int(os.environ.get("FLAGGER_HTTP_GRACEFUL_SECONDS", "60"))
keepalive = 75
max_requests = 0
control_socket_disable = True
accesslog = None
errorlog = "-"
logconfig_dict = logs.config(
    os.environ.get("FLAGGER_LOG_LEVEL", "info"), os.environ.get("FLAGGER_LOG_ENCODING", "json")
)
forwarded_allow_ips = ""


def _heartbeat_dir() -> str:
    """Choose a directory for the worker's heartbeat file.

    Memory first: it works with a read-only root file system, and no slow disk blocks the worker.
    """
    memory = "/dev/shm"  # noqa: S108 - unlinked by gunicorn as soon as it is open
    for path in (os.environ.get("FLAGGER_HTTP_TMP_DIR"), memory):
        if path and os.access(path, os.W_OK | os.X_OK):
            return path
    return tempfile.gettempdir()


worker_tmp_dir = _heartbeat_dir()


def when_ready(server: Any) -> None:
    """Make SIGINT as graceful as SIGTERM, and a second signal immediate, with status 1."""
    seen: list[int] = []

    def stop(signum: int, frame: FrameType | None) -> None:
        seen.append(signum)
        if len(seen) == 1:
            server.signal(signal.SIGTERM, frame)
        else:
            server.impatient = True
            server.signal(signal.SIGQUIT, frame)

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)


def post_worker_init(worker: Any) -> None:
    """Tell the application about SIGTERM, and refuse connections from then on."""
    _close_listeners_when_stopping(worker)
    graceful = signal.getsignal(signal.SIGTERM)
    callbacks = flaskkit.kit(worker.wsgi).on_term

    def stop(signum: int, frame: FrameType | None) -> None:
        while callbacks:
            callbacks.pop(0)()
        if callable(graceful):
            graceful(signum, frame)

    signal.signal(signal.SIGTERM, stop)
    # Ctrl-C reaches the whole foreground group; only the master decides. Not SIG_IGN, which the
    # commands started here would inherit.
    signal.signal(signal.SIGINT, lambda _signum, _frame: None)


def _close_listeners_when_stopping(worker: Any) -> None:
    """Close the listening sockets as soon as the worker stops accepting.

    gunicorn closes them after the last request; until then new connections would wait in the
    backlog of a server that never serves them, where upstream refuses them.
    """
    enable = worker.set_accept_enabled

    def set_accept_enabled(enabled: bool) -> None:
        enable(enabled)
        if not worker.alive:
            for listener in worker.sockets:
                listener.close()

    worker.set_accept_enabled = set_accept_enabled


def worker_int(worker: Any) -> None:
    """Run the application's exit callbacks when the worker has to end at once."""
    _exit_callbacks(worker)


def worker_exit(server: Any, worker: Any) -> None:
    """Run the application's exit callbacks after the last request."""
    del server
    _exit_callbacks(worker)


def on_exit(server: Any) -> None:
    """Log the end; a stop that was asked for twice is an error, as upstream's."""
    server.log.info("HTTP server stopped")
    if getattr(server, "impatient", False):
        raise SystemExit(1)


def _exit_callbacks(worker: Any) -> None:
    if worker.wsgi is None:  # the application failed to load
        return
    callbacks = flaskkit.kit(worker.wsgi).on_exit
    while callbacks:
        callbacks.pop(0)()
