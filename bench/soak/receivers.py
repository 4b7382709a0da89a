"""Whom the controller talks to but the API server: a Prometheus and receivers of messages."""

import asyncio
import json
import re
import urllib.parse
from collections.abc import Container
from typing import Final

from bench.scale.objects import Member

from flagger_controller import net

METRICS: Final = "http://prometheus.test"
EVENTS: Final = "http://events.test"
CHAT: Final = "http://chat.test"
LATENCY: Final = 0.05
"""Virtual seconds until an answer."""
PROBE: Final = "vector(1)"
"""Asks whether anybody is there."""
_GOOD, _BAD = "100", "50"
_PODS: Final = re.compile(r'kubernetes_namespace="([^"]+)".*kubernetes_pod_name=~"(app-\d+)-')


class Receivers(net.Http):
    """Answers in place of servers, without connections."""

    def __init__(self, broken: Container[Member]) -> None:
        """Make them.

        Args:
            broken: the members half of whose requests fail at the moment.
        """
        super().__init__()
        self._broken = broken
        self.told = 0
        """Messages that were received."""

    async def call(self, request: net.Request) -> net.Reply:
        """Answer a query, or take a message."""
        await asyncio.sleep(LATENCY)
        if request.method == "POST":
            self.told += 1
            return net.Reply(200, body=b"ok")
        query = urllib.parse.parse_qs(urllib.parse.urlsplit(request.url).query)["query"][0]
        sample = {"metric": {}, "value": [0, self._value(query)]}
        answer = {"status": "success", "data": {"resultType": "vector", "result": [sample]}}
        return net.Reply(200, body=json.dumps(answer).encode())

    def _value(self, query: str) -> str:
        if query == PROBE:
            return "1"
        found = _PODS.search(query)
        if found is None:
            raise ValueError(f"nobody here knows what to answer to {query}")
        return _BAD if Member(*found.groups()) in self._broken else _GOOD
