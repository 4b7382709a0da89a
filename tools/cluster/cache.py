"""Things that are made once: a lock a key, made aside, moved into place in one rename.

So a second process waits instead of making the same thing again, and a process that dies leaves
nothing that looks finished.
"""

import contextlib
import fcntl
import pathlib
import shutil
import tempfile
from collections.abc import Callable, Iterator

from tools.cluster import progress, settings


@contextlib.contextmanager
def locked(path: pathlib.Path, what: str) -> Iterator[None]:
    """Hold an exclusive lock on a file; say so when another process has it.

    The kernel drops the lock when its holder dies, so there are no stale locks to remove.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            with progress.step(f"waiting for another process: {what}"):
                fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def made(key: str, make: Callable[[pathlib.Path], None]) -> pathlib.Path:
    """Return the folder `key` of the cache, calling `make` to fill it if it is not there.

    Args:
        key: folder name; must change whenever the content would.
        make: gets an empty folder to fill; whatever it raises is passed on, nothing is kept.
    """
    root = settings.cache_directory()
    folder = root / key
    if folder.is_dir():
        return folder
    with locked(root / "locks" / key, key):
        if folder.is_dir():
            return folder
        for stale in root.glob(f".{key}.*"):  # of a maker that was killed: we hold the lock
            shutil.rmtree(stale, ignore_errors=True)
        aside = pathlib.Path(tempfile.mkdtemp(prefix=f".{key}.", dir=root))
        try:
            make(aside)
            aside.chmod(0o755)
            aside.rename(folder)
        finally:
            shutil.rmtree(aside, ignore_errors=True)
    return folder
