"""Tasks that are not ours, handed on to a load tester (spec helmtester A.2).

For installations whose hooks use one tester for everything, until they are told apart.
"""

import http.client
import logging
import threading
import urllib.error
import urllib.request
from typing import Final

import flask

from flagger_common import callers, flaskkit

logger = logging.getLogger(__name__)

TYPES: Final = ("cmd", "bash", "kubectl", "concord", "ngrinder")
"""Task types of upstream's load tester that it may do for us."""

THREADS: Final = 8
"""Tasks handed on at a time; each holds a thread of the server."""

_HEADERS: Final = ("Authorization", "Content-Type", callers.SIGNATURE, callers.TIMESTAMP)


class Legacy:
    """Hands on tasks; status and body of the answer are the load tester's."""

    def __init__(self, url: str, seconds: float) -> None:
        """Take the address.

        Args:
            url: of the load tester.
            seconds: longest time of a task.
        """
        self._url = url
        self._seconds = seconds
        self._room = threading.BoundedSemaphore(THREADS)

    def forward(self) -> flask.Response | None:
        """Hand on the current request; None when too many are handed on already."""
        if not self._room.acquire(blocking=False):
            return None
        try:
            return self._send()
        finally:
            self._room.release()

    def _send(self) -> flask.Response:
        sent = flask.request
        headers = {name: sent.headers[name] for name in _HEADERS if name in sent.headers}
        body = sent.get_data()
        request = urllib.request.Request(  # noqa: S310 - the operator's address, settings check it
            self._url, body, headers, method="POST"
        )
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with opener.open(request, timeout=self._seconds) as answer:
                return _passed(answer.status, answer.read())
        except urllib.error.HTTPError as error:
            return _passed(error.code, error.read())
        except (OSError, http.client.HTTPException) as error:
            logger.warning("load tester at %s: %s", self._url, error)
            return flaskkit.text(503, "the load tester cannot be reached")


def _passed(status: int, body: bytes) -> flask.Response:
    return flaskkit.text(status, body.decode(errors="replace"))
