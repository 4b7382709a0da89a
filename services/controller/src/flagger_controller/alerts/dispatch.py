"""Who gets an alert, and its way there: off the tick path, in order, and retried.

A lost alert never touches the rollout; it is logged, counted and told in an event (alerting.md
sections 3, 4 and 6).
"""

import asyncio
import functools
import importlib
import logging
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Final, cast

from flagger_controller import clock, secrecy
from flagger_controller.alerts import compose
from flagger_controller.alerts.base import Address, Channel, Message, Post
from flagger_controller.alerts.delivery import Postman
from flagger_controller.alerts.providers import Destination, Problem, Providers, reference
from flagger_controller.api.alertprovider import CHANNELS
from flagger_controller.api.canary import AlertRoute, Canary
from flagger_controller.errors import ConfigError, FlaggerError
from flagger_controller.outbox import Job, Outbox
from flagger_controller.rollout.decision import Alert, Severity

logger = logging.getLogger(__name__)

UNKNOWN: Final = "unknown"
"""The type of a provider that an alert did not get as far as."""


@dataclass(frozen=True)
class Settings:
    """What flags say about alerts."""

    cluster: str = ""
    """Name of the cluster, the first field of every alert; empty: none."""
    notifier: Destination | None = None
    """Gets the alerts of canaries without `alerts`; None: nobody does."""


@dataclass(frozen=True)
class Ears:
    """Who hears what becomes of alerts."""

    counted: Callable[[str, bool], None]
    """Told of every alert that was sent (True) or given up (False), with the provider's type."""
    told: Callable[[Canary, str], None]
    """Told in words what went wrong about a canary's alerts, for its owner."""


Render = Callable[[str, Mapping[str, str]], str]
"""Fills in a message template; raises ConfigError, whose text names line and cause."""


def choose_notifier(slack: Address, msteams: Address) -> Destination | None:
    """The one global notifier: Teams where an address is given, else Slack (section 4)."""
    if msteams.url:
        if slack.url:
            logger.warning("Slack and MS Teams are both configured: alerts go to MS Teams only")
        return Destination("msteams", msteams)
    return Destination("slack", slack) if slack.url else None


def checked(notifier: Destination) -> Destination | None:
    """The global notifier if its address can be used; says so at the start, or why not.

    Of the address only the origin is shown: the rest of a web hook's is a secret (A23).
    """
    message = Message("flagger", "flagger", "", (), Severity.INFO, clock.utc())
    try:
        post = post_of(notifier, message)
    except ConfigError as error:
        logger.error("Notifier %s", error)
        return None
    logger.info("Notifications enabled for %s", secrecy.origin(post.url))
    return notifier


def post_of(destination: Destination, message: Message) -> Post:
    """What the channel of a destination sends.

    Raises:
        ConfigError: the type is not known, or the address cannot be used.
    """
    place = CHANNELS.get(destination.type)
    if place is None:
        raise ConfigError(f"provider {destination.type} not supported")
    module, _, name = place.partition(":")
    channel = cast("Channel", getattr(importlib.import_module(module), name))
    return channel(destination.address, message)


class Dispatcher:
    """Takes alerts from ticks and delivers them through an outbox, a lane for each receiver."""

    def __init__(
        self,
        postman: Postman,
        outbox: Outbox,
        providers: Providers,
        settings: Settings,
        ears: Ears,
        render: Render,
        now: clock.Clock,
    ) -> None:
        self._postman = postman
        self._outbox = outbox
        self._providers = providers
        self._settings = settings
        self._ears = ears
        self._render = render
        self._now = now

    def send(self, canary: Canary, alert: Alert) -> None:
        """Queue an alert for everybody who wants it; returns at once.

        What one receiver hears of a canary keeps its order, and waits for no other receiver.
        """
        message = compose.message(canary, alert, self._settings.cluster, self._now())
        for lane, job in self._jobs(canary, message):
            if not self._outbox.put(lane, job):
                self._ears.counted(UNKNOWN, False)
                self._tell(canary, f"alert dropped, too many are waiting: {alert.text}")

    async def settled(self, canary: Canary) -> None:
        """Return when no alert about this Canary is queued any more."""
        lanes = {_lane(canary), *(_lane(canary, route) for route in canary.analysis.alerts)}
        await asyncio.gather(*map(self._outbox.settled, lanes))

    def _jobs(self, canary: Canary, message: Message) -> Iterator[tuple[str, Job]]:
        routes = compose.routes(canary, message.severity)
        if routes is None:
            if notifier := self._settings.notifier:
                yield _lane(canary), functools.partial(self._notify, canary, notifier, message)
            return
        for route in routes:
            yield _lane(canary, route), functools.partial(self._follow, canary, route, message)

    async def _notify(self, canary: Canary, notifier: Destination, message: Message) -> None:
        try:
            await self._post(notifier, message)
        except FlaggerError as error:
            self._tell(canary, f"alert can't be sent: {error}")

    async def _follow(self, canary: Canary, route: AlertRoute, message: Message) -> None:
        who = "alert provider {}.{}".format(*reference(canary, route))
        try:
            destination = await self._providers.destination(canary, route)
        except Problem as error:
            self._ears.counted(UNKNOWN, False)
            self._tell(canary, f"{who} {error}")
            return
        worded = self._worded(canary, destination.template, message, who)
        try:
            await self._post(destination, worded)
        except FlaggerError as error:
            what = "error" if isinstance(error, ConfigError) else "send error"
            self._tell(canary, f"{who} {what}: {error}")

    def _worded(self, canary: Canary, template: str, message: Message, who: str) -> Message:
        """The message in the provider's own words; a bad template must not lose the alert."""
        if not template:
            return message
        try:
            text = self._render(template, compose.variables(message)).strip()
        except ConfigError as error:
            text = "the alert is sent with its usual text; correct spec.messageTemplate"
            self._tell(canary, f"{who} messageTemplate error: {error}; {text}")
            return message
        return replace(message, text=text) if text else message

    async def _post(self, destination: Destination, message: Message) -> None:
        try:
            post = post_of(destination, message)
            await self._postman.deliver(post, destination.address)
        except FlaggerError:
            self._ears.counted(destination.type, False)
            raise
        self._ears.counted(destination.type, True)

    def _tell(self, canary: Canary, text: str) -> None:
        logger.error("%s", text, extra={"canary": canary.key})
        self._ears.told(canary, text)


def _lane(canary: Canary, route: AlertRoute | None = None) -> str:
    """Of the global notifier, or of an entry of the canary's alerts."""
    return canary.key if route is None else " ".join((canary.key, *reference(canary, route)))
