"""Draws the demo: a table that rewrites itself on a terminal, plain lines elsewhere."""

import sys
import time
from types import TracebackType
from typing import Final, Protocol, Self

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.panel import Panel
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from e2e.demo.view import View
from e2e.suite import history

EVENTS: Final = 8
"""How many of the last Events are shown."""
COLOURS: Final = {
    "Waiting": "yellow",
    "Progressing": "cyan",
    "Promoting": "cyan",
    "Finalising": "cyan",
    "Failed": "red",
}


class Screen(Protocol):
    """Where the demo is shown. Use as a context manager."""

    def __enter__(self) -> Self:
        """Begin to show the release."""

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop showing it; what was said stays."""

    def title(self, text: str) -> None:
        """Begin a chapter."""

    def say(self, text: str) -> None:
        """Tell what happens."""

    def command(self, text: str) -> None:
        """Show a command that is run."""

    def output(self, text: str) -> None:
        """Show what a command printed."""

    def confirm(self, text: str) -> None:
        """Show a claim that was checked."""


def screen(view: View) -> Screen:
    """Return the screen that standard output is good for."""
    return Dashboard(view) if sys.stdout.isatty() else Lines(view)


class Dashboard:
    """A table below what was said so far."""

    def __init__(self, view: View) -> None:
        self._view = view
        self._console = Console(highlight=False)
        self._live = Live(self, console=self._console, refresh_per_second=4, transient=True)

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._live.stop()

    def __rich__(self) -> RenderableType:
        view = self._view
        table = Table.grid(padding=(0, 2))
        table.add_column(style="dim", justify="right")
        table.add_column()
        phase = view.phase()
        table.add_row("phase", Text(phase, style=f"bold {COLOURS.get(phase, 'green')}"))
        bar = ProgressBar(total=100, completed=view.weight(), width=40)
        weight = Table.grid(padding=(0, 1))
        weight.add_row(bar, f"{view.weight()} %")
        table.add_row("canary weight", weight)
        table.add_row("failed checks", str(view.failed()))
        table.add_row("success rate", view.success())
        table.add_row("duration, p99", view.duration())
        table.add_row("requests", f"{view.readings.rate:.0f} a second")
        table.add_row("answers to us", view.answers())
        events = Group(*(_event(event) for event in view.past.events()[-EVENTS:]))
        return Panel(Group(table, Text("events", style="dim"), events), title="canary podinfo.test")

    def title(self, text: str) -> None:
        """Begin a chapter."""
        self._console.print()
        self._console.rule(f"[bold]{text}", align="left")

    def say(self, text: str) -> None:
        """Tell what happens."""
        self._console.print(text, markup=False)

    def command(self, text: str) -> None:
        """Show a command that is run."""
        self._console.print(Text(f"$ {text}", style="bold"))

    def output(self, text: str) -> None:
        """Show what a command printed."""
        self._console.print(Text(text, style="dim"))

    def confirm(self, text: str) -> None:
        """Show a claim that was checked."""
        self._console.print(Text(f"  ✓ {text}", style="green"))


def _event(event: history.Told) -> Text:
    style = "yellow" if event.warning else ""
    return Text(f"  {event.text}", style=style, overflow="ellipsis", no_wrap=True)


class Lines:
    """A line for everything that happens, for logs."""

    def __init__(self, view: View) -> None:
        self._view = view
        self._begun = time.monotonic()
        view.past.listen(self._changed)
        view.past.hear(self._told)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        return

    def _print(self, text: str) -> None:
        print(f"[{time.monotonic() - self._begun:4.0f} s] {text}", flush=True)

    def _changed(self, state: history.State) -> None:
        view = self._view
        numbers = f"success {view.success()}, p99 {view.duration()}, {view.readings.rate:.0f}/s"
        self._print(f"  canary: {state} | {numbers} | answers: {view.answers()}")

    def _told(self, text: str) -> None:
        self._print(f"  event: {text}")

    def title(self, text: str) -> None:
        """Begin a chapter."""
        print(flush=True)
        self._print(f"== {text}")

    def say(self, text: str) -> None:
        """Tell what happens."""
        self._print(text)

    def command(self, text: str) -> None:
        """Show a command that is run."""
        self._print(f"$ {text}")

    def output(self, text: str) -> None:
        """Show what a command printed."""
        for line in text.splitlines():
            self._print(f"  {line}")

    def confirm(self, text: str) -> None:
        """Show a claim that was checked."""
        self._print(f"  ✓ {text}")
