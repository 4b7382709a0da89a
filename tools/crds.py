"""Write the CRDs of the chart from the typed models, or check that the file is current."""

import argparse
import pathlib
import sys

from flagger_controller.api import crds

TARGET = pathlib.Path(__file__).parent.parent / "charts/flagger/crds/crd.yaml"


def main() -> int:
    """Write the file; with `--check` only say whether it is current."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing, fail if out of date")
    arguments = parser.parse_args()
    wanted = crds.render()
    if arguments.check:
        current = TARGET.read_text() if TARGET.exists() else ""
        if current != wanted:
            sys.stderr.write(f"{TARGET.name} is out of date: run `make crds`\n")
        return int(current != wanted)
    TARGET.parent.mkdir(parents=True, exist_ok=True)
    TARGET.write_text(wanted)
    return 0


if __name__ == "__main__":
    sys.exit(main())
