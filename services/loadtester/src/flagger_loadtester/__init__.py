"""The load tester: runs load tests and acceptance tests for canary analyses (loadtester.md).

This package file is the composition root; it imports Flask and nothing happens until it is called.
"""

import flask

from flagger_common import authz, flaskkit

from . import gates, views
from .runner import Runner
from .settings import Settings

__all__ = ["create_app"]


def create_app(settings: Settings, runner: Runner) -> flask.Flask:
    """Build the application.

    Args:
        settings: read once, at start.
        runner: runs the tasks; it is stopped by the server's end, see `gunicorn_conf`.
    """
    app = flaskkit.base_app(
        __name__,
        "loadtester",
        namespaces=authz.NamespaceRule.parse(
            settings.namespace_regexp, anchored=settings.namespace_anchored
        ),
        max_body=settings.max_body,
        ready=runner.unready,
    )
    kit = flaskkit.kit(app)
    for collector in runner.metrics.collectors():
        kit.registry.register(collector)
    kit.on_term.append(runner.drain)
    kit.on_exit.append(runner.close)
    views.register(app, runner, gates.Gates())
    return app
