"""Measurements in a file, so that a run that was cut short can go on."""

import dataclasses
import datetime
import pathlib
from typing import Final

import pydantic
from bench.scale.machine import Machine
from tools.cluster import settings

Figures = dict[str, float]
"""What a scenario measured, by name (see report.COLUMNS)."""
MEASUREMENTS: Final = "measurements.jsonl"
REPORT: Final = "report.md"


@dataclasses.dataclass(frozen=True)
class Setting:
    """When something was measured, and which programs took part."""

    day: datetime.date
    """In UTC."""
    kubernetes: str
    upstream: str


@dataclasses.dataclass(frozen=True)
class Measurement:
    """What a controller did in one scenario."""

    machine: Machine
    size: int
    """Canaries."""
    subject: str
    scenario: str
    figures: Figures
    setting: Setting | None = None
    """None: the record is older than this field."""
    pods: bool = True
    """Whether the applications had some (see `rollouts`)."""


LINE: Final = pydantic.TypeAdapter(Measurement)


def present() -> Setting:
    """Return today's date and the versions that are built now."""
    today = datetime.datetime.now(datetime.UTC).date()
    return Setting(today, settings.KUBERNETES, settings.FLAGGER)


def parsed(content: bytes) -> list[Measurement]:
    """Return the measurements of a record's lines.

    Raises:
        pydantic.ValidationError: something else is in it.
    """
    return [LINE.validate_json(line) for line in content.splitlines()]


class Record:
    """A folder with a measurement a line and the last report; without a folder nothing is kept."""

    def __init__(self, folder: pathlib.Path | None, machine: Machine, *, pods: bool = True) -> None:
        self._folder = folder
        self._machine = machine
        self._pods = pods

    def read(self) -> list[Measurement]:
        """Return what earlier runs measured; a line that was cut off is removed.

        Raises:
            ClusterError: some of it was measured on another machine, or with pods where there are
                none now, or the other way round.
        """
        if self._folder is None or not (self._folder / MEASUREMENTS).exists():
            return []
        path = self._folder / MEASUREMENTS
        content = path.read_bytes()
        whole = content[: content.rfind(b"\n") + 1]
        if whole != content:
            path.write_bytes(whole)
        found = parsed(whole)
        for measurement in found:
            if measurement.machine != self._machine:
                raise settings.ClusterError(
                    f"{path} was measured on {measurement.machine}, and this is {self._machine}: "
                    "numbers of two machines do not belong together, choose another folder"
                )
            if measurement.pods != self._pods:
                raise settings.ClusterError(
                    f"{path} has measurements {'with' if measurement.pods else 'without'} pods, "
                    "to which others are no neighbours: choose another folder"
                )
        return found

    def add(self, measurement: Measurement) -> None:
        """Keep a measurement."""
        if self._folder is not None:
            self._folder.mkdir(parents=True, exist_ok=True)
            with (self._folder / MEASUREMENTS).open("ab") as file:
                file.write(LINE.dump_json(measurement) + b"\n")

    def report(self, text: str) -> None:
        """Keep what a run said at its end, in the place of what the one before said."""
        if self._folder is not None:
            self._folder.mkdir(parents=True, exist_ok=True)
            (self._folder / REPORT).write_text(text + "\n")
