"""Resolve the workspace once and export hashed requirement files without hosts or index lines."""

import pathlib
import subprocess
import sys

ROOT = pathlib.Path(__file__).parent.parent
SERVICES = ("controller", "loadtester", "gatekeeper", "helmtester")


def export(target: str, *options: str) -> None:
    """Write `locks/<target>.txt`: exact versions with hashes, third parties only."""
    command = [
        *(str(ROOT / ".venv/bin/uv"), "export", "--quiet", "--locked", "--no-emit-workspace"),
        *("--no-header", "--no-annotate", "--format", "requirements-txt", *options),
        *("--output-file", str(ROOT / "locks" / f"{target}.txt")),
    ]
    subprocess.run(command, cwd=ROOT, check=True)


def main() -> int:
    """Resolve, then export one file for everything and one for each service.

    The controller has a second one, with the logins of clouds.
    """
    subprocess.run([str(ROOT / ".venv/bin/uv"), "lock", *sys.argv[1:]], cwd=ROOT, check=True)
    export("all", "--all-packages", "--all-groups", "--all-extras")
    for service in SERVICES:
        export(service, "--package", f"flagger-{service}", "--no-dev")
    export("controller-clouds", "--package", "flagger-controller", "--no-dev", "--all-extras")
    return 0


if __name__ == "__main__":
    sys.exit(main())
