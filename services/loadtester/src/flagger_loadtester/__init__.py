"""The load tester: runs load tests and acceptance tests for canary analyses (loadtester.md).

This package file is the composition root; it imports Flask and nothing happens until it is called.
"""

import logging
import os

import flask

from flagger_common import authz, flaskkit
from flagger_common.payload import CanaryWebhookPayload

from . import gates, tasks, views
from .policy import guard
from .runner import Runner
from .settings import Settings
from .tasks.base import TaskType, Work

__all__ = ["create_app"]

logger = logging.getLogger(__name__)


def create_app(settings: Settings, runner: Runner) -> flask.Flask:
    """Build the application.

    Args:
        settings: read once, at start.
        runner: runs the tasks; it is stopped by the server's end, see `gunicorn_conf`.

    Raises:
        document.PolicyError: the policy file cannot be used.
        confinement.ConfinementError: strict mode cannot confine commands here.
        ValueError: payloads shall be verified, and there is no API server.
    """
    known = settings.callers()
    # upstream searches, and ``test`` finds ``prod-latest``: strict mode does not
    anchored = settings.namespace_anchored or not settings.compat
    app = flaskkit.base_app(
        __name__,
        "loadtester",
        namespaces=authz.NamespaceRule.parse(settings.namespace_regexp, anchored=anchored),
        max_body=settings.max_body,
        ready=runner.unready,
        known=known,
    )
    kit = flaskkit.kit(app)
    for collector in runner.metrics.collectors():
        kit.registry.register(collector)
    kit.on_term.append(runner.drain)
    kit.on_exit.append(runner.close)
    kinds = tasks.kinds(
        settings.locust_master,
        settings.timeout,
        inline=settings.allow_inline_locustfile,
    )
    prepare = _compat if settings.compat else _strict(settings)
    verify = settings.verify(os.environ)
    views.register(app, runner, gates.Gates(), kinds, prepare, verify)
    _warn(settings)
    return app


def _compat(kind: TaskType, payload: CanaryWebhookPayload) -> Work:
    return kind.prepare(payload)


def _strict(settings: Settings) -> views.Prepare:
    chosen = guard.build(settings.scope(), settings.timeout, settings.policy_file)
    return lambda kind, payload: kind.strict(payload, chosen)


def _warn(settings: Settings) -> None:
    """Say at start what an operator should know."""
    open_ = not (settings.auth_token_file or settings.auth_hmac_key_file)
    if settings.compat:
        who = "WHOEVER REACHES THE PORT" if open_ else "whoever has the secret"
        logger.warning("compat mode: %s RUNS ANY COMMAND in this container", who)
    elif open_:
        logger.warning("callers are not known: set -auth-token-file or -auth-hmac-key-file")
