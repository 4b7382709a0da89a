"""Runs `helm test` on behalf of canary analyses; more stands in the README of this service."""

import threading

import flask

from flagger_common import authz, flaskkit

from . import helm, settings, views


def create_app(options: settings.Settings, program: helm.Program) -> flask.Flask:
    """Build the application around a Helm program.

    Args:
        options: the settings of the process.
        program: what runs the tests; its tests are stopped when the worker process ends.
    """
    app = flaskkit.base_app(
        __name__,
        "helmtester",
        namespaces=authz.NamespaceRule.parse(options.namespace_regexp),
        ready=program.available,
    )

    def stop_later() -> None:
        timer = threading.Timer(settings.STOP_SECONDS, program.stop_all)
        timer.daemon = True
        timer.start()

    kit = flaskkit.kit(app)
    kit.on_term.append(stop_later)
    kit.on_exit.append(program.stop_all)
    views.register(app, options, program)
    return app
