"""Verdicts in files, so that a sweep that was cut short can go on."""

import pathlib

from pydantic import TypeAdapter

from .stage import Verdict

LINE = TypeAdapter(Verdict)


class Record:
    """A file of its own for each subject, one verdict a line; without a place nothing is kept."""

    def __init__(self, directory: pathlib.Path | None, subject: str) -> None:
        self._path = directory / f"{subject}.jsonl" if directory else None

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
        """Keep a verdict, unless there is none: such a case comes again."""
        if self._path is not None and not verdict.lost:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with self._path.open("ab") as file:
                file.write(LINE.dump_json(verdict) + b"\n")
