"""AlertProviders, Secrets, a receiver, and a dispatcher that knows them."""

import asyncio
from collections.abc import Mapping
from typing import Any

from pytest_httpserver import HTTPServer
from werkzeug import Response

from flagger_controller import net
from flagger_controller.alerts.delivery import Postman
from flagger_controller.alerts.dispatch import Dispatcher, Ears, Settings
from flagger_controller.alerts.providers import Lookups, Providers
from flagger_controller.api.alertprovider import AlertProvider
from flagger_controller.api.canary import Canary
from flagger_controller.errors import NotFound
from flagger_controller.metrics import template
from flagger_controller.outbox import Outbox
from flagger_controller.rollout.decision import Alert, Severity

from .messages import NOW

ALERT = Alert("Something happened.", Severity.ERROR)


class World:
    """Use `deliver` to send an alert and wait until it is done with."""

    def __init__(self, http: net.Http, server: HTTPServer) -> None:
        self._http = http
        self.server = server
        self.providers: dict[tuple[str, str], AlertProvider] = {}
        self.secrets: dict[tuple[str, str], Mapping[str, str]] = {}
        self.settings: dict[str, Any] = {}
        self.cross_namespace = True
        self.broken: Exception | None = None
        """What every lookup fails with."""
        self.slow: set[tuple[str, str]] = set()
        """Secrets that take for ever to read."""
        self.outbox = Outbox()
        self.waits: list[float] = []
        self.counted: list[tuple[str, bool]] = []
        self.told: list[tuple[str, str]] = []

    def provider(self, namespace: str = "default", name: str = "chat", **spec: Any) -> None:
        body = {"metadata": {"name": name}, "spec": {"type": "slack", **spec}}
        self.providers[namespace, name] = AlertProvider.model_validate(body)

    def answers(self, *responses: Response) -> str:
        for response in responses:
            self.server.expect_ordered_request("/hook").respond_with_response(response)
        return self.server.url_for("/hook")

    @property
    def posted(self) -> list[Any]:
        return [request.get_json() for request, _ in self.server.log]

    @property
    def dispatcher(self) -> Dispatcher:
        async def provider(namespace: str, name: str) -> AlertProvider:
            found: AlertProvider = self._found(self.providers, namespace, name)
            return found

        async def secret(namespace: str, name: str) -> Mapping[str, str]:
            if (namespace, name) in self.slow:
                await asyncio.Event().wait()
            found: Mapping[str, str] = self._found(self.secrets, namespace, name)
            return found

        async def sleep(seconds: float) -> None:
            self.waits.append(seconds)

        return Dispatcher(
            Postman(self._http, sleep),
            self.outbox,
            Providers(Lookups(provider, secret), cross_namespace=self.cross_namespace),
            Settings(**self.settings),
            Ears(
                counted=lambda kind, sent: self.counted.append((kind, sent)),
                told=lambda canary, text: self.told.append((canary.key, text)),
            ),
            template.render,
            lambda: NOW,
        )

    def _found(self, objects: dict[tuple[str, str], Any], namespace: str, name: str) -> Any:
        if self.broken:
            raise self.broken
        if (namespace, name) not in objects:
            raise NotFound("not in the watch cache")
        return objects[namespace, name]

    async def deliver(self, canary: Canary, alert: Alert = ALERT) -> None:
        dispatcher = self.dispatcher
        dispatcher.send(canary, alert)
        running = asyncio.create_task(self.outbox.run())
        await dispatcher.settled(canary)
        running.cancel()
        await asyncio.wait([running])
