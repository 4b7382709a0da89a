"""`python -m e2e.suite up | down`: the suite on the cluster that CLUSTER chooses."""

import argparse
import sys

from tools.cluster import progress, settings

from e2e.suite import access, install, wait


def main() -> int:
    """Run a command; return its exit code."""
    parser = argparse.ArgumentParser(prog="python -m e2e.suite", description=__doc__)
    parser.add_argument("command", choices=("up", "down"))
    command = parser.parse_args().command
    try:
        if command == "down":
            install.down()
        else:
            reach = install.up()
            progress.result(f"KUBECONFIG={reach.kubeconfig}")
    except (access.SuiteError, settings.ClusterError, wait.Deviation) as error:
        progress.say(f"error: {error}")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
