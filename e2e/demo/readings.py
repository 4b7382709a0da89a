"""Numbers of the release, once a second: what the controller measured, and who answers."""

import json
import threading
from types import TracebackType
from typing import Final, Self

import requests

from e2e.suite import kube, names, podinfo

PAUSE: Final = 1.0
SUCCESS: Final = "request-success-rate"
DURATION: Final = "request-duration"
MEASURED: Final = 'flagger_canary_metric_analysis{{name="podinfo",namespace="{namespace}"}}'
REQUESTS: Final = (
    'sum(rate(traefik_service_requests_total{{service=~"{namespace}-podinfo-(primary|canary)-.*"}}'
    "[10s]))"
)


class Readings:
    """Asks Prometheus in the background. Use as a context manager."""

    def __init__(self, app: podinfo.App) -> None:
        self.checks: dict[str, float] = {}
        """The last value of each check, as the controller judged it: percent, seconds."""
        self.rate = 0.0
        """Requests a second through Traefik, of all clients."""
        self._app = app
        self._highest = 0.0
        self._judged: dict[str, list[float]] = {}
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stop.set()
        self._thread.join()

    def begin(self) -> None:
        """Forget what was measured so far: another release begins."""
        self._judged = {}
        self._highest = 0.0

    def judged(self, check: str) -> list[float]:
        """Return the values of a check since `begin`."""
        return self._judged.get(check, [])

    @property
    def highest(self) -> float:
        """The highest rate of requests since `begin`."""
        return self._highest

    def _run(self) -> None:
        while not self._stop.wait(PAUSE):
            try:
                self._read()
            except (requests.RequestException, kube.ApiError, ValueError, KeyError):
                continue

    def _read(self) -> None:
        for labels, value in self._query(MEASURED):
            check = labels.get("metric", "")
            if self.checks.get(check) != value:
                self.checks = {**self.checks, check: value}
                self._judged.setdefault(check, []).append(value)
        self.rate = sum(value for _, value in self._query(REQUESTS))
        self._highest = max(self._highest, self.rate)

    def _query(self, template: str) -> list[tuple[dict[str, str], float]]:
        text = self._app.api.proxied(
            names.SYSTEM,
            f"{names.PROMETHEUS}:{names.PROMETHEUS_PORT}",
            "/api/v1/query",
            query=template.format(namespace=self._app.namespace),
        )
        result = json.loads(text)["data"]["result"]
        return [(series["metric"], float(series["value"][1])) for series in result]
