"""Reflector: keeps a copy of all objects of one kind, in one namespace or in all of them.

List in pages, then watch; the content is replaced on every re-list, so that objects that vanished
meanwhile are noticed. A stream that is silent for too long is given up, as a dead connection
looks exactly like a quiet cluster. Objects are kept as JSON without their managedFields and
decoded when asked for: memory for 5,000 Deployments is a tenth of what dicts need.
"""

import asyncio
import logging
import random
from collections.abc import Callable
from dataclasses import dataclass

from flagger_controller.cluster.client import (
    ApiError,
    ApiNotFound,
    ApiUnavailable,
    KubeClient,
    Object,
    Ref,
    Resource,
)
from flagger_controller.cluster.failures import Kind
from flagger_controller.cluster.pulse import Pulse
from flagger_controller.cluster.slim import BOOKMARK, DELETED, Entry, Key, parsed, slim
from flagger_controller.errors import FlaggerError, Retriable

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class WatchSettings:
    """Timings of reflectors, in seconds."""

    page: int = 500
    """Objects a page of a list."""
    stream: float = 300.0
    """How long the server keeps a stream open; up to half as much is added at random."""
    margin: float = 15.0
    """A stream that the server did not end by then is dead."""
    silence: float = 150.0
    """A stream that has had bookmarks (the server sends one a minute) and then nothing is dead."""
    backoff: float = 0.5
    """First pause after an error; doubled each time."""
    backoff_most: float = 30.0
    past: float = 60.0
    """How long a server that lists less than we have seen or written is held to be behind others;
    afterwards its storage was restored from a backup."""
    missing: float = 60.0
    """How often we look whether a kind that does not exist was installed."""
    jitter: Callable[[], float] = random.random
    """A number from 0 to 1, so that many reflectors do not do the same at the same time."""


OnChange = Callable[[Ref, Entry | None, Entry | None], None]
"""Reference, the object before and now; None: it did not or does not exist."""


class Reflector:
    """A copy of a part of the cluster, kept up to date by the task that runs `run`."""

    def __init__(
        self,
        client: KubeClient,
        resource: Resource,
        namespace: str = "",
        *,
        metadata_only: bool = False,
        on_change: OnChange = lambda ref, old, new: None,
        on_progress: Callable[[], None] = lambda: None,
        settings: WatchSettings | None = None,
    ) -> None:
        self.resource = resource
        self.namespace = namespace
        self.version = 0
        """Everything up to this resourceVersion is in the copy."""
        self.listed_at = float("-inf")
        """Loop time at which the newest complete list was begun."""
        self.synced = False
        """A first list is complete (an absent kind counts as an empty list)."""
        self.problem = ""
        """Why the copy may be out of date; empty when all is well."""
        self.refusal: ApiError | None = None
        """Why the server refuses to keep the copy up to date; None: it does not."""
        self.pulse = Pulse()
        """Beats after a list, a bookmark, and a change."""
        self._client = client
        self._metadata_only = metadata_only
        self._on_change = on_change
        self._on_progress = on_progress
        self._settings = settings or WatchSettings()
        self._entries: dict[Key, Entry] = {}
        self._failures = 0
        self._behind_since: float | None = None
        self._limit: asyncio.Timeout | None = None

    @property
    def disbelief(self) -> float:
        """Seconds for which lists of the past are not believed."""
        return self._settings.past

    def get(self, ref: Ref) -> Object | None:
        """A fresh copy of an object; None when it does not exist."""
        entry = self.entry(ref)
        if entry is None:
            return None
        # Items of lists do not say what they are, and metadata-only ones say something else.
        return entry.decoded() | {
            "apiVersion": self.resource.api_version,
            "kind": self.resource.kind,
        }

    def entry(self, ref: Ref) -> Entry | None:
        """What is known about an object."""
        return self._entries.get((ref.namespace, ref.name))

    def refs(self, namespace: str = "") -> dict[Ref, Entry]:
        """All objects, or those of a namespace."""
        return {
            Ref(self.resource, name, where): entry
            for (where, name), entry in self._entries.items()
            if namespace in ("", where)
        }

    @property
    def answers(self) -> bool:
        """There is nothing to wait for, and nothing to complain about."""
        return self.synced and self.refusal is None

    async def ready(self) -> None:
        """Wait for the first complete list.

        Raises:
            ApiError: the server refuses it, or to keep it up to date; we go on asking.
        """
        await self.pulse.until(lambda: self.synced or self.refusal is not None)
        if self.refusal is not None:
            raise self.refusal.with_traceback(None)  # the same for everybody, again and again

    def relist(self) -> None:
        """Give up the present stream: somebody has reason to believe that it is dead."""
        if self._limit is not None and not self._limit.expired():
            self._limit.reschedule(asyncio.get_running_loop().time())

    async def run(self) -> None:
        """Keep the copy up to date until cancelled."""
        while True:
            try:
                if not await self._list():
                    await self._back_off(Retriable("the server lists the past"))
                    continue
                while await self._follow():
                    pass
            except ApiNotFound:
                self.listed_at = asyncio.get_running_loop().time()
                self._replace({}, self.version)
                await asyncio.sleep(self._settings.missing * (1 + self._settings.jitter() / 2))
            except ApiError as error:
                await self._back_off(error)
            except Exception:
                logger.exception("watching %s failed", self.resource.plural)
                await self._back_off(FlaggerError("internal error"))

    async def _list(self) -> bool:
        """Take over a list; False: it is older than what is here, and nothing was taken over."""
        began = asyncio.get_running_loop().time()
        entries: dict[Key, Entry] = {}
        token = ""
        while True:
            page = await self._client.page(
                self.resource,
                self.namespace,
                limit=self._settings.page,
                token=token,
                metadata_only=self._metadata_only,
            )
            entries.update(slim(raw) for raw in page.items)
            token = page.token
            if not token:
                break
        if self._is_past(int(page.version)):
            return False
        self.listed_at = began
        self._replace(entries, int(page.version))
        return True

    def _is_past(self, version: int) -> bool:
        """Is the server behind? What was seen once is not unseen, or routes would go back too."""
        if version >= self.version:
            self._behind_since = None
            return False
        now = asyncio.get_running_loop().time()
        self._behind_since = self._behind_since or now
        return now - self._behind_since < self.disbelief

    def _replace(self, entries: dict[Key, Entry], version: int) -> None:
        before, self._entries = self._entries, entries
        self.version = version
        self.synced = True
        self._recovered()
        for key in before.keys() | entries.keys():
            self._report(key, before.get(key), entries.get(key))
        self._progress()

    async def _follow(self) -> bool:
        """Watch until the stream ends; True: watch on from there, False: list again."""
        began = asyncio.get_running_loop().time()
        try:
            heard = await self._stream()
        except TimeoutError:
            logger.warning("watch of %s is silent, listing again", self.resource.plural)
            return False
        except ApiUnavailable as error:
            await self._back_off(error)
            return True
        except ApiError as error:
            if error.kind is not Kind.EXPIRED:
                raise
            await self._back_off(error)
            return False
        if heard or asyncio.get_running_loop().time() - began >= 1.0:
            self._failures = 0
            self._recovered()
        else:
            await self._back_off(Retriable("the server ends watches at once"))
        return True

    async def _stream(self) -> bool:
        clock = asyncio.get_running_loop().time
        seconds = self._settings.stream * (1 + self._settings.jitter() / 2)
        end = clock() + seconds + self._settings.margin
        heard = bookmarked = False
        try:
            async with (
                asyncio.timeout_at(end) as self._limit,
                self._client.watch(
                    self.resource,
                    self.namespace,
                    version=str(self.version),
                    seconds=seconds,
                    metadata_only=self._metadata_only,
                ) as lines,
            ):
                async for line in lines:
                    heard = True
                    bookmarked |= self._apply(line) == BOOKMARK
                    if bookmarked and not self._limit.expired():
                        self._limit.reschedule(min(end, clock() + self._settings.silence))
        finally:
            self._limit = None
        return heard

    def _apply(self, line: bytes) -> str:
        type_, key, entry = parsed(line)
        self.version = max(self.version, entry.version)
        if type_ != BOOKMARK:
            before = self._entries.pop(key, None)
            after = None if type_ == DELETED else entry
            if after is not None:
                self._entries[key] = after
            self._report(key, before, after)
        self._progress()
        return type_

    def _report(self, key: Key, before: Entry | None, after: Entry | None) -> None:
        if before is not None and after is not None and before.version == after.version:
            return
        if before is None and after is None:
            return
        namespace, name = key
        self._on_change(Ref(self.resource, name, namespace), before, after)

    def _progress(self) -> None:
        self.pulse.beat()
        self._on_progress()

    def _recovered(self) -> None:
        if self.problem:
            logger.info("watch of %s goes on", self.resource.plural)
        self.problem = ""
        self.refusal = None

    async def _back_off(self, error: FlaggerError) -> None:
        problem = str(error)
        if problem != self.problem:
            level = logging.DEBUG if error.quiet else logging.WARNING
            text = "watch of %s: %s; trying again"
            logger.log(level, text, self.resource.plural, problem, extra=error.fields)
        self.problem = problem
        if isinstance(error, ApiError) and not (error.quiet or isinstance(error, Retriable)):
            self.refusal = error
        self.pulse.beat()
        pause = min(self._settings.backoff * 2.0**self._failures, self._settings.backoff_most)
        self._failures = min(self._failures + 1, 16)
        jitter = pause / 2 * self._settings.jitter()
        await asyncio.sleep(max(error.retry_after, pause / 2) + jitter)
