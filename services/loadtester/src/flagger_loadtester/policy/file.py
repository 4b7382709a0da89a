"""The policy file on disk: read again when it has changed, as ConfigMaps do in a running pod."""

import logging
import os
import pathlib
import threading

from . import document

logger = logging.getLogger(__name__)

_Version = tuple[int, int, int]


class PolicyFile:
    """Knows the policy that is in force.

    Raises:
        document.PolicyError: the file cannot be read at the start.
    """

    def __init__(self, path: pathlib.Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._version, self._document = self._read()
        self._fault = ""

    def current(self) -> document.Document:
        """Return the policy; the last good one, and an error in the log, while the file is bad."""
        with self._lock:
            try:
                if _version(os.stat(self._path)) != self._version:
                    self._version, self._document = self._read()
                    logger.info("policy read again", extra={"file": str(self._path)})
                self._fault = ""
            except (document.PolicyError, OSError) as error:
                if str(error) != self._fault:  # once, not with every request
                    logger.error("policy not usable, the last one stays in force: %s", error)
                    self._fault = str(error)
            return self._document

    def _read(self) -> tuple[_Version, document.Document]:
        try:
            with self._path.open(encoding="utf-8") as file:
                version = _version(os.fstat(file.fileno()))
                return version, document.parse(file.read())
        except (OSError, UnicodeError) as error:
            raise document.PolicyError(f"{self._path}: {error}") from error
        except document.PolicyError as error:
            raise document.PolicyError(f"{self._path}: {error}") from error


def _version(status: os.stat_result) -> _Version:
    return (status.st_ino, status.st_mtime_ns, status.st_size)
