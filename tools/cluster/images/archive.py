"""Writes image archives, the format of `docker save`, without any engine.

Enough for an image that is a static binary, or a base with a file on top; both containerd and
Docker load them. The same content gives the same bytes, so an unchanged image keeps its id.
"""

import dataclasses
import hashlib
import io
import json
import pathlib
import tarfile
from collections.abc import Mapping, Sequence
from typing import Any, Final

ARCHITECTURES: Final = {"x86_64": "amd64", "aarch64": "arm64"}
EPOCH: Final = "1970-01-01T00:00:00Z"
BLOCK: Final = 1 << 20


@dataclasses.dataclass(frozen=True)
class Image:
    """What an image consists of."""

    tag: str
    layers: Sequence[pathlib.Path]
    """Uncompressed tar files, the lowest first."""
    architecture: str
    entrypoint: Sequence[str] = ()
    command: Sequence[str] = ()
    environment: Mapping[str, str] = dataclasses.field(default_factory=dict)
    user: str = ""

    def configuration(self, digests: Sequence[str]) -> bytes:
        """Return the image's configuration document."""
        run: dict[str, Any] = {
            "Entrypoint": list(self.entrypoint) or None,
            "Cmd": list(self.command) or None,
            "Env": [f"{name}={value}" for name, value in self.environment.items()],
            "User": self.user,
        }
        document = {
            "architecture": ARCHITECTURES.get(self.architecture, self.architecture),
            "os": "linux",
            "created": EPOCH,
            "config": run,
            "rootfs": {"type": "layers", "diff_ids": [f"sha256:{d}" for d in digests]},
            "history": [{"created": EPOCH} for _ in digests],
        }
        return json.dumps(document, sort_keys=True).encode()


def write_layer(path: pathlib.Path, files: Mapping[str, pathlib.Path]) -> None:
    """Write a layer of files.

    Args:
        path: the tar file to write.
        files: name in the image (no leading slash) and the file it is a copy of; its mode is kept.
    """
    with tarfile.open(path, "w", format=tarfile.GNU_FORMAT) as layer:
        for folder in sorted({str(p) for name in files for p in pathlib.PurePath(name).parents}):
            if folder != ".":
                member = tarfile.TarInfo(folder)
                member.type, member.mode = tarfile.DIRTYPE, 0o755
                layer.addfile(member)
        for name, source in sorted(files.items()):
            member = tarfile.TarInfo(name)
            status = source.stat()
            member.size, member.mode = status.st_size, status.st_mode & 0o777
            with source.open("rb") as file:
                layer.addfile(member, file)


def write(path: pathlib.Path, image: Image) -> str:
    """Write an image archive and return the image's id."""
    digests = [_digest(layer) for layer in image.layers]
    configuration = image.configuration(digests)
    identity = hashlib.sha256(configuration).hexdigest()
    manifest = [
        {
            "Config": f"{identity}.json",
            "RepoTags": [image.tag],
            "Layers": [f"{digest}.tar" for digest in digests],
        }
    ]
    with tarfile.open(path, "w", format=tarfile.GNU_FORMAT) as archive:
        for digest, layer in zip(digests, image.layers, strict=True):
            member = tarfile.TarInfo(f"{digest}.tar")
            member.size = layer.stat().st_size
            with layer.open("rb") as file:
                archive.addfile(member, file)
        _add(archive, f"{identity}.json", configuration)
        _add(archive, "manifest.json", json.dumps(manifest).encode())
    return f"sha256:{identity}"


def identity(path: pathlib.Path) -> str:
    """Return the id of the image in an archive."""
    with tarfile.open(path) as archive:
        file = archive.extractfile("manifest.json")
        document = json.load(file) if file else []
    name: str = document[0]["Config"]
    return "sha256:" + name.removesuffix(".json")


def _add(archive: tarfile.TarFile, name: str, data: bytes) -> None:
    member = tarfile.TarInfo(name)
    member.size = len(data)
    archive.addfile(member, io.BytesIO(data))


def _digest(path: pathlib.Path) -> str:
    whole = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(BLOCK):
            whole.update(block)
    return whole.hexdigest()
