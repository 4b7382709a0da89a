"""Runs `helm test` on behalf of canary analyses; more stands in the README of this service."""

import threading
from collections.abc import Mapping

import flask

from flagger_common import declared, flaskkit

from . import desk, flights, helm, jobs, legacy, metrics, releases, results, settings, views
from .pods import Pods


def create_app(
    options: settings.Settings, program: helm.Program, environ: Mapping[str, str]
) -> flask.Flask:
    """Build the application around a Helm program.

    Args:
        options: the settings of the process.
        program: what runs the tests; its tests are stopped when the worker process ends.
        environ: the environment of the process: the pod's namespace and API server.

    Raises:
        ValueError: settings that do not go together.
        OSError: the namespace of the pod is needed and not known.
    """
    app = flaskkit.base_app(
        __name__,
        "helmtester",
        namespaces=options.namespaces,
        ready=program.available,
        known=options.known,
    )
    stops = [program.stop_all]
    api = settings.api(options, environ)
    tests = releases.Releases(
        program,
        settings.policy(options, environ),
        options.impersonate,
        releases.unknown if api is None else Pods(api).exit_code,
    )
    engines: dict[str, desk.Engine] = dict.fromkeys(("helm", "helmv2", "helmv3"), tests.task)
    if options.jobs:
        if api is None:
            raise ValueError("-jobs needs an API server: run in a cluster, or set -kube-api")
        runner = jobs.Jobs(api, settings.words(options.job_templates), options.timeout)
        engines["job"] = runner.task
        stops.append(runner.stop_all)

    def stop_all() -> None:
        for stop in stops:
            stop()

    def stop_later() -> None:
        timer = threading.Timer(settings.STOP_SECONDS, stop_all)
        timer.daemon = True
        timer.start()

    kit = flaskkit.kit(app)
    kit.on_term.append(stop_later)
    kit.on_exit.append(stop_all)
    front = desk.Desk(
        engines,
        flights.Flights(options.limits),
        results.Results(options.result_cache_ttl),
        metrics.Counters(kit.registry),
        options.namespaces,
        options.failure_status,
    )
    verify = declared.verifier(api) if options.verify_canary else declared.believe
    others = None
    if options.legacy_types:
        others = legacy.Legacy(options.legacy_types, options.timeout)
    views.register(app, front, others, verify, cancel_on_disconnect=options.cancel_on_disconnect)
    return app
