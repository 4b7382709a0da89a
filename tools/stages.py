"""Runs the stages of `make test` one after the other, with the time that each took.

Stops at the first stage that fails. A cluster that was up before stays up; one that the stages
started is taken down again, also after a failure.
"""

import pathlib
import subprocess
import sys
import time
from collections.abc import Sequence

PYTHON = sys.executable
PYTEST = (PYTHON, "-m", "pytest", "-q")
FAST = ("libs", "services", "charts", "examples", "tools", "bench")
"""Everything that needs no cluster of its own; the API tier starts its own control planes."""
ALONE = "tools/cluster/tests/test_local.py"
"""Needs the machine to itself, so it cannot run beside other tests."""

STAGES: tuple[tuple[str, Sequence[str]], ...] = (
    ("style", (PYTHON, "-m", "ruff", "check", "--quiet", ".")),
    ("format", (PYTHON, "-m", "ruff", "format", "--check", "--quiet", ".")),
    ("YAML", (PYTHON, "-m", "yamllint", "--strict", ".")),
    ("layers", (str(pathlib.Path(PYTHON).with_name("lint-imports")),)),
    ("types", (PYTHON, "-m", "mypy", *FAST, "e2e")),
    ("CRDs are current", (PYTHON, "tools/crds.py", "--check")),
    ("docs are current", (PYTHON, "-m", "tools.docs", "--check")),
    ("dashboards are current", (PYTHON, "-m", "tools.dashboards", "--check")),
    ("programs for the tests", (PYTHON, "-m", "tools.cluster", "build")),
    (
        "unit, model, API, services",
        (*PYTEST, "-n", "2", "--dist", "loadfile", *FAST, f"--ignore={ALONE}"),
    ),
    ("the cluster itself", (*PYTEST, ALONE)),
    ("smoke on the real cluster", (*PYTEST, "-m", "smoke", "e2e")),
)


def main() -> int:
    """Run all stages; the exit code of the first that failed."""
    before = subprocess.run([PYTHON, "-m", "tools.cluster", "status"], capture_output=True)
    table: list[tuple[str, float]] = []
    code = 0
    for name, command in STAGES:
        sys.stdout.write(f"\n== {name}\n")
        sys.stdout.flush()
        started = time.monotonic()
        code = subprocess.run(command).returncode
        table.append((name, time.monotonic() - started))
        if code:
            break
    if before.returncode:
        subprocess.run([PYTHON, "-m", "tools.cluster", "down"])
    sys.stdout.write("\n")
    for name, seconds in table:
        sys.stdout.write(f"{seconds:7.0f} s  {name}\n")
    if code:
        sys.stdout.write(f"FAILED: {table[-1][0]}\n")
    return code


if __name__ == "__main__":
    sys.exit(main())
