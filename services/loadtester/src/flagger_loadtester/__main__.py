"""``python -m flagger_loadtester``, or the script ``loadtester``: serve the load tester."""

import sys

from . import cli


def main() -> None:
    """Run the command line of this process."""
    cli.main(sys.argv[1:])


if __name__ == "__main__":
    main()
