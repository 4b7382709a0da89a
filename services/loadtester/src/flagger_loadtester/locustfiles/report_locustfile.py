"""A locustfile beside that of a headless test: writes what was measured when the test ends.

Read by Locust, never imported by the load tester. Locust's own files do not do: ``--json-file`` has
no errors, and ``--csv`` lacks the last second. The document has the form of the master's
``/stats/requests`` and ``/exceptions``, so `results.locust` reads both.
"""

import json
import pathlib
from argparse import ArgumentParser
from typing import Any

from locust import events
from locust.env import Environment

_MOST = 20
"""Different errors to report; the counts are complete anyway."""


@events.init_command_line_parser.add_listener
def add_options(parser: ArgumentParser) -> None:
    """Declare where to write to."""
    parser.add_argument("--report", required=True, help="File for the report.")


@events.quitting.add_listener
def write(environment: Environment, **_: Any) -> None:
    """Write the report, also of a test that is terminated."""
    runner = environment.runner
    if runner is None or environment.parsed_options is None:
        raise AssertionError("Locust's own main program has both")
    errors = sorted(runner.errors.values(), key=lambda error: -error.occurrences)
    document = {
        "stats": [runner.stats.total.to_dict()],
        "errors": [error.serialize() for error in errors[:_MOST]],
        "exceptions": [
            {key: row[key] for key in ("msg", "traceback", "count")}
            for row in runner.exceptions.values()
        ][:_MOST],
    }
    pathlib.Path(environment.parsed_options.report).write_text(json.dumps(document))
