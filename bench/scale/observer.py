"""Who sees how far all Canaries are: one watch, and the moment at which each line of it arrived."""

import json
import threading
import time
from typing import Any, Final, Self

import requests
from bench.scale.objects import Member
from bench.scale.releases import Sight, state_of

USER: Final = "observer"
PATH: Final = "/apis/flagger.app/v1beta1/canaries"
STREAM_SECONDS: Final = 3600
"""After so long the server ends a watch, which then goes on where it was."""
TIMEOUTS: Final = (10.0, STREAM_SECONDS + 60.0)
"""Seconds to connect, and of silence: a fleet at rest says nothing."""
LIST_SECONDS: Final = 60.0
PAUSE: Final = 0.2
"""Seconds before the next attempt when a watch was cut off."""
CHUNK: Final = 65_536
"""Bytes at most that are taken at once; what is there is taken at once."""


class Observer:
    """Follows the Canaries of all namespaces; use it as a context manager.

    The moments are those of `time.monotonic`, taken before a line is decoded.
    """

    def __init__(self, url: str, token: str, ca_file: str) -> None:
        self._url = url + PATH
        self._session = requests.Session()
        self._session.trust_env = False
        self._session.verify = ca_file
        self._session.headers["Authorization"] = f"Bearer {token}"
        self._sights: dict[Member, list[Sight]] = {}
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._follow, name=USER, daemon=True)
        self.cuts = 0
        """How often it lost its place: then some moments were missed, others were seen late."""

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        # The stream ends with the server; the thread waits in it until then.
        self._stopped.set()

    @property
    def follows(self) -> bool:
        """Whether it still does."""
        return self._thread.is_alive()

    def sights(self, member: Member) -> list[Sight]:
        """Return all states of a Canary so far."""
        return list(self._sights.get(member, ()))

    def last(self, member: Member) -> Sight | None:
        """Return the state that a Canary is in, and since when; None: nothing was seen of it."""
        sights = self._sights.get(member)
        return sights[-1] if sights else None

    def forget(self) -> None:
        """Let go of everything."""
        self._sights.clear()

    def _follow(self) -> None:
        version = ""
        while not self._stopped.is_set():
            try:
                version = self._watch(version or self._list())
            except (requests.RequestException, ValueError):
                version = ""
            if not version and not self._stopped.wait(PAUSE):
                self.cuts += 1

    def _list(self) -> str:
        """See everything as it is now; return the version to follow from."""
        reply = self._session.get(self._url, timeout=LIST_SECONDS)
        at = time.monotonic()
        reply.raise_for_status()
        document = reply.json()
        for canary in document["items"]:
            self._note(canary, at)
        return str(document["metadata"]["resourceVersion"])

    def _watch(self, version: str) -> str:
        """Follow until the server ends the stream; return where to go on, empty: with a list."""
        parameters = {
            "watch": "1",
            "resourceVersion": version,
            "timeoutSeconds": str(STREAM_SECONDS),
            "allowWatchBookmarks": "true",
        }
        with self._session.get(
            self._url, params=parameters, stream=True, timeout=TIMEOUTS
        ) as reply:
            reply.raise_for_status()
            for line in reply.iter_lines(chunk_size=CHUNK):
                at = time.monotonic()
                event = json.loads(line)
                if event["type"] == "ERROR":
                    return ""
                version = event["object"]["metadata"]["resourceVersion"]
                if event["type"] in ("ADDED", "MODIFIED"):
                    self._note(event["object"], at)
        return version

    def _note(self, canary: dict[str, Any], at: float) -> None:
        metadata, state = canary["metadata"], state_of(canary)
        sights = self._sights.setdefault(Member(metadata["namespace"], metadata["name"]), [])
        if not sights or sights[-1].state != state:
            sights.append(Sight(at, state))
