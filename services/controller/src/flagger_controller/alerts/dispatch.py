"""Who gets an alert, and its way there: off the tick path, retried, failures only logged.

A lost alert never touches the rollout (alerting.md sections 3, 4 and 6).
"""

import asyncio
import functools
import importlib
import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Final, cast

from flagger_controller import net
from flagger_controller.alerts import CHANNELS, compose
from flagger_controller.alerts.base import Address, Channel, ChannelFactory, Message
from flagger_controller.alerts.post import Sleep, post
from flagger_controller.api.alertprovider import AlertProvider
from flagger_controller.api.canary import AlertRoute, Canary
from flagger_controller.errors import ConfigError, FlaggerError, NotFound
from flagger_controller.outbox import Outbox
from flagger_controller.rollout.decision import Alert

logger = logging.getLogger(__name__)

Counted = Callable[[str, bool], None]
"""Told of every alert that was sent (True) or given up (False), with the provider's type."""


@dataclass(frozen=True)
class Destination:
    """A channel and its address."""

    type: str
    address: Address


@dataclass(frozen=True)
class Settings:
    """What flags say about alerts."""

    cluster: str = ""
    """Name of the cluster, the first field of every alert; empty: none."""
    notifier: Destination | None = None
    """Gets the alerts of canaries without `alerts`; None: nobody does."""
    cross_namespace: bool = True
    """Providers may live in other namespaces; checked on every use (A19)."""


@dataclass(frozen=True)
class Lookups:
    """Where providers and their secrets come from; each raises NotFound."""

    provider: Callable[[str, str], Awaitable[AlertProvider]]
    """An AlertProvider by namespace and name."""
    secret: Callable[[str, str], Awaitable[Mapping[str, str]]]
    """The decoded data of a Secret by namespace and name."""


class _Problem(FlaggerError):
    """Why a provider gets no alert; the text follows `alert provider <name>.<ns> `."""


_PREFIXES: Final = {_Problem: "", ConfigError: "error: "}


def choose_notifier(slack: Address | None, msteams: Address | None) -> Destination | None:
    """The one global notifier: Teams where an address is given, else Slack (section 4)."""
    if msteams is not None and msteams.url:
        if slack is not None and slack.url:
            logger.warning("Slack and MS Teams are both configured: alerts go to MS Teams only")
        return Destination("msteams", msteams)
    if slack is not None and slack.url:
        return Destination("slack", slack)
    return None


def open_channel(destination: Destination) -> Channel:
    """The channel of a destination.

    Raises:
        ConfigError: the type is not known, or the address cannot be used.
    """
    place = CHANNELS.get(destination.type)
    if place is None:
        raise ConfigError(f"provider {destination.type} not supported")
    module, _, name = place.partition(":")
    factory = cast("ChannelFactory", getattr(importlib.import_module(module), name))
    return factory(destination.address)


class Dispatcher:
    """Takes alerts from ticks and delivers them through an outbox."""

    def __init__(
        self,
        http: net.Http,
        outbox: Outbox,
        lookups: Lookups,
        settings: Settings,
        *,
        sleep: Sleep = asyncio.sleep,
        counted: Counted = lambda _type, _sent: None,
    ) -> None:
        self._http = http
        self._outbox = outbox
        self._lookups = lookups
        self._settings = settings
        self._sleep = sleep
        self._counted = counted

    def send(self, canary: Canary, alert: Alert) -> None:
        """Queue an alert; returns at once. Alerts of one canary keep their order."""
        job = functools.partial(self.deliver, canary, alert)
        if not self._outbox.put(canary.key, job):
            self._log(canary, f"alert dropped, too many are waiting: {alert.text}")

    async def settled(self, canary: Canary) -> None:
        """Return when no alert about this Canary is queued any more."""
        await self._outbox.settled(canary.key)

    async def deliver(self, canary: Canary, alert: Alert) -> None:
        """Send an alert to everybody who wants it, in list order; failures are logged."""
        message = compose.message(canary, alert, self._settings.cluster)
        routes = compose.routes(canary, alert.severity)
        if routes is None:
            await self._notify(canary, message)
            return
        for route in routes:
            try:
                destination = await self._destination(canary, route)
                await self._post(destination, message)
            except FlaggerError as error:
                name, namespace = _reference(canary, route)
                prefix = _PREFIXES.get(type(error), "send error: ")
                self._log(canary, f"alert provider {name}.{namespace} {prefix}{error}")

    async def _notify(self, canary: Canary, message: Message) -> None:
        if self._settings.notifier is None:
            return
        try:
            await self._post(self._settings.notifier, message)
        except FlaggerError as error:
            self._log(canary, f"alert can't be sent: {error}")

    async def _post(self, destination: Destination, message: Message) -> None:
        try:
            channel = open_channel(destination)
            await post(self._http, channel, destination.address, message, self._sleep)
        except FlaggerError:
            self._counted(destination.type, False)
            raise
        self._counted(destination.type, True)

    async def _destination(self, canary: Canary, route: AlertRoute) -> Destination:
        name, namespace = _reference(canary, route)
        if namespace != canary.namespace and not self._settings.cross_namespace:
            raise _Problem(
                f"error: can't access alert provider {name}.{namespace},"
                " cross-namespace references are blocked"
            )
        try:
            provider = await self._lookups.provider(namespace, name)
        except NotFound as error:
            raise _Problem(f'error: alertprovider.flagger.app "{name}" not found') from error
        except FlaggerError as error:
            raise _Problem(f"error: {error}") from error
        return Destination(provider.spec.type, await self._address(provider, namespace))

    async def _address(self, provider: AlertProvider, namespace: str) -> Address:
        spec = provider.spec
        url, token = spec.address.strip(), ""
        if spec.secret_ref is not None:
            secret = await self._secret(namespace, spec.secret_ref.name)
            if "address" not in secret:
                raise _Problem("secret does not contain an address")
            url, token = secret["address"].strip(), secret.get("token", "").strip()
        if not url:
            raise _Problem("error: the address is empty")
        return Address(
            url=url,
            token=token,
            proxy=spec.proxy.strip(),
            channel=spec.channel or Address.channel,
            username=spec.username or Address.username,
        )

    async def _secret(self, namespace: str, name: str) -> Mapping[str, str]:
        try:
            return await self._lookups.secret(namespace, name)
        except NotFound as error:
            raise _Problem(f'secretRef error: secrets "{name}" not found') from error
        except FlaggerError as error:
            raise _Problem(f"secretRef error: {error}") from error

    def _log(self, canary: Canary, text: str) -> None:
        logger.error("%s", text, extra={"canary": canary.key})


def _reference(canary: Canary, route: AlertRoute) -> tuple[str, str]:
    """Name and namespace of a route's provider."""
    return route.provider_ref.name, route.provider_ref.namespace or canary.namespace
