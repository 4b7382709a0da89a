"""Write the dashboards of charts/grafana, or check that the files are current."""

import argparse
import json
import pathlib
import sys
from typing import Final

from tools.dashboards import catalog, releases
from tools.dashboards.panels import Dashboard

FOLDER: Final = pathlib.Path(__file__).parents[2] / "charts/grafana/dashboards"


def files() -> dict[str, str]:
    """Name and text of every file."""
    found = {"releases": releases.DASHBOARD}
    found |= {plane.name: plane.dashboard() for plane in catalog.PLANES}
    return {f"{name}.json": _text(dashboard) for name, dashboard in found.items()}


def _text(dashboard: Dashboard) -> str:
    return json.dumps(dashboard.to_json(), indent=2) + "\n"


def main() -> int:
    """Write the files; with `--check` only say whether they are current."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing, fail if out of date")
    arguments = parser.parse_args()
    wanted = files()
    current = {path.name: path.read_text() for path in FOLDER.glob("*.json")}
    if arguments.check:
        if current != wanted:
            sys.stderr.write("charts/grafana/dashboards is out of date: run `make dashboards`\n")
        return int(current != wanted)
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name in current.keys() - wanted.keys():
        (FOLDER / name).unlink()
    for name, text in wanted.items():
        (FOLDER / name).write_text(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
