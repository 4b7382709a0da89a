"""The figures of load tests, read from what their programs print: program to the file it is in."""

import logging
from collections.abc import Mapping
from typing import Final

from . import base, ghz, hey, k6, locust_output, programs, wrk

logger = logging.getLogger(__name__)

PARSERS: Final[Mapping[str, base.Parser]] = {
    "ghz": ghz.parse,
    "hey": hey.parse,
    "k6": k6.parse,
    "locust": locust_output.parse,
    "wrk": wrk.parse,
}


def program(command: str) -> str | None:
    """Return the last program in a command text whose output can be read; None without one."""
    try:
        known = [name for name in programs.programs(command) if name in PARSERS]
    except ValueError:  # not our business: the shell complains about it
        return None
    return known[-1] if known else None


def read(command: str, output: str) -> base.LoadResult | None:
    """Return the figures of a load test.

    Args:
        command: as the user wrote it; tells the program.
        output: of the command, perhaps cut in the middle.

    Returns:
        None when no program is known, or when it has printed no figures.
    """
    name = program(command)
    if name is None:
        return None
    try:
        return PARSERS[name](output)
    except ValueError as error:
        logger.info("no figures in the output of %s: %s", name, error)
        return None
