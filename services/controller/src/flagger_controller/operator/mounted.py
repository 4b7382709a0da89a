"""A Secret that is mounted into our pod: a folder with a file for each key."""

import pathlib
from collections.abc import Mapping
from typing import Final

from flagger_controller.errors import ConfigError

_VERSION: Final = "..data"
"""The kubelet's link to the files of one version of the Secret."""


class MountedSecret:
    """Read anew each time, so that a change counts as soon as the kubelet brings it."""

    def __init__(self, folder: str) -> None:
        self._folder = pathlib.Path(folder)
        self._known: Mapping[str, str] = {}

    def __call__(self) -> Mapping[str, str]:
        """The decoded data.

        Raises:
            ConfigError: the folder has no files that we may read, and never had.
        """
        try:
            self._known = self._read() or self._known
        except OSError as error:
            if not self._known:
                raise ConfigError(f"the mounted Secret {self._folder}: {error.strerror}") from error
            # It is being replaced: the old version is good for a while.
        if not self._known:
            raise ConfigError(f"the mounted Secret {self._folder} has no keys")
        return self._known

    def _read(self) -> Mapping[str, str]:
        """All of one version, so that no user name is read with another one's password."""
        version = self._folder / _VERSION
        place = version.resolve() if version.exists() else self._folder
        files = [file for file in place.iterdir() if file.is_file()]
        return {file.name: file.read_text(errors="replace") for file in files}
