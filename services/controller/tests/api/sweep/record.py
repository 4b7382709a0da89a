"""Verdicts in a file, so that a sweep that was cut short can go on."""

import pathlib

from pydantic import TypeAdapter

from .stage import Verdict

LINE = TypeAdapter(Verdict)


class Record:
    """One verdict a line, in JSON; without a path nothing is kept."""

    def __init__(self, path: pathlib.Path | None) -> None:
        self._path = path

    def read(self) -> list[Verdict]:
        """What earlier sweeps found; a line that was cut off is removed, its case comes again."""
        if self._path is None or not self._path.exists():
            return []
        content = self._path.read_bytes()
        whole = content[: content.rfind(b"\n") + 1]
        if whole != content:
            self._path.write_bytes(whole)
        return [LINE.validate_json(line) for line in whole.splitlines()]

    def add(self, verdict: Verdict) -> None:
        """Keep a verdict."""
        if self._path is not None:
            with self._path.open("ab") as file:
                file.write(LINE.dump_json(verdict) + b"\n")
