"""What the person at the terminal sees. The only module that prints.

Results (paths, settings) go to standard output, so that scripts can read them; progress goes to
standard error. A step that takes longer than a moment shows its elapsed time: a line that
rewrites itself on a terminal, a line every ten seconds elsewhere (CI logs).
"""

import contextlib
import sys
import threading
import time
from collections.abc import Iterator

QUIET_SECONDS = 5.0
"""A step shorter than this says nothing."""
LINE_SECONDS = 10.0


def result(text: str) -> None:
    """Print a result to standard output."""
    print(text, flush=True)  # noqa: T201 - this module is where printing is allowed


def say(text: str) -> None:
    """Print a remark to standard error."""
    print(text, file=sys.stderr, flush=True)  # noqa: T201 - see above


class Step:
    """One long piece of work and how far it is."""

    def __init__(self, title: str) -> None:
        self.title = title
        self._detail = ""
        self._started = time.monotonic()
        self._done = threading.Event()
        self._terminal = sys.stderr.isatty()
        self._shown = False
        self._thread = threading.Thread(target=self._tick, daemon=True)

    @property
    def elapsed(self) -> float:
        """Seconds since the step began."""
        return time.monotonic() - self._started

    def update(self, detail: str) -> None:
        """Set what is shown behind the title, such as `1200 of 2590 packages`."""
        self._detail = detail

    def _line(self) -> str:
        detail = f": {self._detail}" if self._detail else ""
        return f"[{self.elapsed:4.0f} s] {self.title}{detail}"

    def _tick(self) -> None:
        pause = QUIET_SECONDS
        while not self._done.wait(pause):
            self._shown = True
            if self._terminal:
                sys.stderr.write("\r\033[K" + self._line()[:100])
                sys.stderr.flush()
            else:
                say(self._line())
            pause = 0.5 if self._terminal else LINE_SECONDS

    def start(self) -> None:
        """Begin to show the elapsed time."""
        self._thread.start()

    def finish(self, *, failed: bool = False) -> None:
        """Stop showing; leave one line behind if the step was long enough to be seen."""
        self._done.set()
        self._thread.join()
        if self._shown:
            end = "\r\033[K" if self._terminal else ""
            state = "FAILED" if failed else "done"
            say(f"{end}[{self.elapsed:4.0f} s] {self.title}: {state}")


@contextlib.contextmanager
def step(title: str) -> Iterator[Step]:
    """Show a piece of work for as long as the block runs."""
    running = Step(title)
    running.start()
    try:
        yield running
    except BaseException:
        running.finish(failed=True)
        raise
    running.finish()
