"""kopf wiring: login, and three raw event handlers that feed the stores.

Only `on.event` is used: it is level-triggered and writes nothing to users' objects. Handlers
return at once; what is to be done is done by the pool.
"""

import logging
import random
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final

import kopf
import pydantic

from flagger_controller.api.alertprovider import AlertProvider
from flagger_controller.api.base import GROUP, VERSION, Object
from flagger_controller.api.canary import Canary
from flagger_controller.api.metrictemplate import MetricTemplate
from flagger_controller.cluster.heard import Heard
from flagger_controller.cluster.login import Login
from flagger_controller.cluster.session import session
from flagger_controller.operator.shards import Shard
from flagger_controller.operator.store import CanaryStore, TemplateStore, key_of, version_of
from flagger_controller.operator.strangers import claim_of
from flagger_controller.tick.observe import template_places

logger = logging.getLogger(__name__)

BACKOFF_FIRST: Final = 0.5
BACKOFF_MOST: Final = 30.0
"""Seconds between two attempts to watch Canaries."""


class Feed:
    """What the handlers do with what they see."""

    def __init__(
        self,
        canaries: CanaryStore,
        templates: TemplateStore,
        *,
        wake: Callable[[str], None],
        gone: Callable[[str, Canary | None], None],
        counted: Callable[[str, int], None],
        shard: Shard,
    ) -> None:
        self._canaries = canaries
        self._templates = templates
        self._wake = wake
        self._gone = gone
        self._counted = counted
        self._shard = shard

    def canary(self, kind: str | None, body: Object) -> None:
        """A Canary was listed, added, modified or deleted."""
        key = key_of(body)
        if not self._shard.owns(body["metadata"]):
            self._foreign(key, body, gone=kind == "DELETED")
        elif kind == "DELETED":
            self.forget(key)
        elif not self._canaries.knows(body):  # else our own write, or an older version
            self._ours(key, body)

    def _ours(self, key: str, body: Object) -> None:
        self._canaries.strangers.drop(key)
        before = self._canaries.get(key)
        try:
            canary, _ = self._canaries.put(body)
        except pydantic.ValidationError as error:
            self._canaries.rejected[key] = (body, _explained(error))
            self._count(str(body["metadata"].get("namespace", "")))
            self._wake(key)
            return
        self._count(canary.namespace)
        if before is not None:
            _warn_of_new_name(before[0], canary)
        self._wake(key)

    def _foreign(self, key: str, body: Object, *, gone: bool) -> None:
        """A Canary of another shard; if it was ours, it has moved."""
        if self._canaries.holds(key):
            logger.info("%s belongs to another shard now", key, extra={"canary": key})
            self._drop(key)
        if gone:
            self._forget_stranger(key)
        elif self._shard.splits_namespaces:
            self._canaries.strangers.see(key, body, version_of(body))

    def forget(self, key: str) -> None:
        """A Canary is gone."""
        if not self._forget_stranger(key):
            logger.info("Deleting %s from cache", key)
            self._drop(key)

    def _forget_stranger(self, key: str) -> bool:
        """One of another shard is gone, if it was one: others may have its target now."""
        stranger = self._canaries.strangers.drop(key)
        if stranger is None:
            return False
        for canary in self._canaries.within(key.rpartition(".")[2]):
            if claim_of(canary).target == stranger.target:
                self._wake(canary.key)
        return True

    def _drop(self, key: str) -> None:
        self._gone(key, self._canaries.remove(key))
        self._count(key.rpartition(".")[2])

    def _count(self, namespace: str) -> None:
        self._counted(namespace, self._canaries.count(namespace))

    def template(self, kind: str | None, body: Object) -> None:
        """A MetricTemplate changed."""
        place = (body["metadata"]["namespace"], body["metadata"]["name"])
        self._templates.templates.pop(place, None)
        if kind != "DELETED":
            try:
                self._templates.templates[place] = MetricTemplate.model_validate(body)
            except pydantic.ValidationError as error:
                logger.error("MetricTemplate %s.%s: %s", place[1], place[0], _explained(error))
        for canary in self._canaries:
            if place in template_places(canary):
                self._wake(canary.key)

    def provider(self, kind: str | None, body: Object) -> None:
        """An AlertProvider changed."""
        place = (body["metadata"]["namespace"], body["metadata"]["name"])
        self._templates.providers.pop(place, None)
        if kind != "DELETED":
            try:
                self._templates.providers[place] = AlertProvider.model_validate(body)
            except pydantic.ValidationError as error:
                logger.error("AlertProvider %s.%s: %s", place[1], place[0], _explained(error))


def registry(feed: Feed, login: Login, heard: Heard) -> kopf.OperatorRegistry:
    """The handlers, registered without any global state."""
    handlers = kopf.OperatorRegistry()

    async def connect(**_: Any) -> kopf.AiohttpSession:
        return kopf.AiohttpSession(server=login.server, aiohttp_session=session(login, heard))

    kopf.on.login(registry=handlers)(connect)
    for plural, see in (
        ("canaries", feed.canary),
        ("metrictemplates", feed.template),
        ("alertproviders", feed.provider),
    ):
        kopf.on.event(GROUP, VERSION, plural, id=plural, registry=handlers)(_handler(see))
    return handlers


def settings() -> kopf.OperatorSettings:
    """Kopf as a watcher that writes nothing and scans nothing."""
    chosen = kopf.OperatorSettings()
    chosen.posting.enabled = False
    chosen.scanning.disabled = True
    chosen.persistence.diffbase_storage = _NothingStored()
    chosen.watching.server_timeout = 300
    chosen.networking.error_backoffs = Backoffs()
    return chosen


def _handler(see: Callable[[str | None, Object], None]) -> Callable[..., Any]:
    async def handle(event: kopf.RawEvent, **_: Any) -> None:
        see(event["type"], dict(event["object"]))

    return handle


class Backoffs:
    """Pauses in seconds, without an end: half a second, doubled up to half a minute, jittered.

    An outage of the API server, or a right that is missing for a while, must not end the process.
    """

    def __init__(self, jitter: Callable[[], float] = random.random) -> None:
        self._jitter = jitter

    def __iter__(self) -> Iterator[float]:
        """Begin with a short one."""
        longest = BACKOFF_FIRST
        while True:
            yield longest * (0.5 + self._jitter() / 2)
            longest = min(BACKOFF_MOST, 2 * longest)


class _NothingStored(kopf.DiffBaseStorage):
    """No annotation on users' objects, and no copy of each object for the sake of one."""

    def build(
        self, *, body: kopf.Body, extra_fields: Iterable[Any] | None = None
    ) -> kopf.BodyEssence:
        """Nothing is compared."""
        return kopf.BodyEssence()

    def fetch(self, *, body: kopf.Body) -> None:
        """Nothing was stored."""
        return

    def store(self, *, body: kopf.Body, patch: kopf.Patch, essence: kopf.BodyEssence) -> None:
        """Store nothing."""


def _explained(error: pydantic.ValidationError) -> str:
    """Every field that cannot be decoded, with what is wrong with it."""
    return "; ".join(
        f"{'.'.join(str(part) for part in item['loc'])}: {item['msg']}"
        for item in error.errors(include_url=False)
    )


def _warn_of_new_name(before: Canary, now: Canary) -> None:
    old = before.spec.service.name if before.spec.service else ""
    if old and now.apex_service != old:
        logger.warning(
            "The service name changed to %s, remove %s objects to avoid routing conflicts",
            now.apex_service,
            old,
            extra={"canary": now.key},
        )
