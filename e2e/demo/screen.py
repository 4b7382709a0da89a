"""What the person at the terminal sees: a live table, and under it what happened, line by line.

On a terminal the table stays at the bottom and changes in place; elsewhere each change of the
Canary is a line.
"""

import collections
import json
import threading
import time
from types import TracebackType
from typing import Final, Self

import requests
from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

from e2e.suite import history, kube, load, names, podinfo

EVERY: Final = 1.0
"""Seconds between two looks at traffic and metrics."""
RECENT: Final = 5.0
"""Seconds of traffic that the table sums up."""
_STYLES: Final = {
    "Failed": "bold red",
    "Succeeded": "bold green",
    "Waiting": "bold yellow",
    "Progressing": "bold cyan",
}
_RATE: Final = (
    'sum(rate(traefik_service_requests_total{{service=~"{namespace}-podinfo-canary-.*",'
    'code!~"5.."}}[20s])) / sum(rate(traefik_service_requests_total{{'
    'service=~"{namespace}-podinfo-canary-.*"}}[20s])) * 100'
)


class Screen:
    """The terminal. Use as a context manager."""

    def __init__(self, app: podinfo.App, past: history.History) -> None:
        self._app = app
        self._past = past
        self._console = Console(highlight=False)
        self._live = Live(console=self._console, refresh_per_second=4, transient=True)
        self._clients: load.Load | None = None
        self._rate = ""
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._refresh, name="screen", daemon=True)
        past.hear(self._event)
        past.listen(self._state)

    def __enter__(self) -> Self:
        if self._console.is_terminal:
            self._live.start()
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._done.set()
        self._thread.join()
        if self._console.is_terminal:
            self._live.stop()

    def show(self, clients: load.Load | None) -> None:
        """Sum up the answers of these clients in the table from now on."""
        self._clients = clients

    def chapter(self, title: str) -> None:
        """Begin a part of the story."""
        self._console.print()
        self._console.rule(Text(title, style="bold"))

    def say(self, text: str) -> None:
        """Say what is done, or what was found."""
        self._console.print(f"  {text}", soft_wrap=True)

    def command(self, text: str) -> None:
        """Show a command that is run."""
        self._console.print(Text(f"  $ {text}", style="bold"), soft_wrap=True)

    def proved(self, text: str) -> None:
        """Show a claim that was checked."""
        self._console.print(Text(f"  ✓ {text}", style="green"), soft_wrap=True)

    def _event(self, text: str) -> None:
        self._console.print(Text(f"    event  {text}", style="dim"), soft_wrap=True)

    def _state(self, state: history.State) -> None:
        if not self._console.is_terminal:
            line = f"    canary {state}{self._traffic(' | clients got ')}"
            self._console.print(line, soft_wrap=True)

    def _refresh(self) -> None:
        while not self._done.wait(EVERY):
            self._rate = self._measured()
            if self._console.is_terminal:
                self._live.update(self._table())

    def _table(self) -> Table:
        state = self._past.state
        table = Table(title=f"canary/podinfo in namespace {self._app.namespace}")
        for column in ("phase", "weight", "failed checks", "success rate", "clients got"):
            table.add_column(column)
        table.add_row(
            Text(state.phase or "-", style=_STYLES.get(state.phase, "")),
            f"{state.weight} %",
            str(state.failed),
            self._rate or "-",
            self._traffic("") or "-",
        )
        return table

    def _traffic(self, before: str) -> str:
        if self._clients is None:
            return ""
        answers = self._clients.answers(time.monotonic() - RECENT)
        counted = collections.Counter(
            f"{answer.version or 'none'}{' (failed)' if answer.failed else ''}"
            for answer in answers
        )
        total = sum(counted.values())
        shares = [f"{name} {count * 100 // total} %" for name, count in sorted(counted.items())]
        return f"{before}{', '.join(shares)}" if shares else ""

    def _measured(self) -> str:
        """The success rate of the canary, as Prometheus has it."""
        query = _RATE.format(namespace=self._app.namespace)
        try:
            text = self._app.api.proxied(
                names.SYSTEM,
                f"{names.PROMETHEUS}:{names.PROMETHEUS_PORT}",
                "api/v1/query",
                query=query,
            )
        except (requests.RequestException, kube.ApiError):
            return ""
        result = json.loads(text)["data"]["result"]
        return f"{float(result[0]['value'][1]):.1f} %" if result else ""
