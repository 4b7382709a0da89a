"""Durable manual gates for canary analyses; what it is for stands in the README of this service."""

import datetime

import flask

from flagger_common import authz, flaskkit

from . import api, desk, door, entrance, events, gates, rules, series, settings, views, watch
from .store import base
from .ui import pages


def create_app(options: settings.Settings, store: base.GateStore) -> flask.Flask:
    """Build the application around a store.

    Args:
        options: the settings of the process.
        store: where the gates are kept; closed when the worker process ends.
    """

    def ready() -> str | None:
        try:
            store.ping()
        except gates.GateError as error:
            return f"store unavailable: {error}"
        return None

    app = flaskkit.base_app(
        __name__,
        "gatekeeper",
        namespaces=authz.NamespaceRule.parse(
            options.namespace_regexp, anchored=not options.allow_anonymous_mutations
        ),
        max_body=settings.MAX_BODY_BYTES,
        ready=ready,
    )
    kit = flaskkit.kit(app)
    kit.on_exit.append(store.close)
    regime = desk.Rules(
        settings.defaults(options),
        datetime.timedelta(seconds=options.once_grace),
        rules.Rulebook.parse(options.rules),
    )
    counters = desk.Counters(kit.registry)
    kit.registry.register(series.Gates(store, counters.store_errors))
    front = desk.Desk(store, counters, regime, _listeners(options, kit))
    streams = watch.Streams()
    kit.on_term.append(streams.stop)
    entry = door.Door(
        entrance.keeper(options, kit.namespaces), kit.registry, rate=options.rate_limit
    )
    views.register(app, front, entry.admit)
    if options.ui:
        tokens = options.auth_mode != "none"
        pages.register(app, front, entry.admit, tokens=tokens)
    api.register(app, front, entry.admit, streams, auto_reset=options.auto_reset)
    return app


def _listeners(options: settings.Settings, kit: flaskkit.Kit) -> list[desk.Listener]:
    """Return who is told of changes."""
    if not options.events:
        return []
    recorder = events.recorder(options.kubeconfig, kit.registry)
    recorder.start()
    kit.on_exit.append(recorder.stop)
    return [recorder.tell]
