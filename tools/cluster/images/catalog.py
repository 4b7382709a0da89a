"""The images that are made here, without an engine: base, cluster, Prometheus, data planes.

Each is an archive in the cache. Where a program needs nothing but itself the image is only that.
"""

import dataclasses
import pathlib
import platform
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Sequence
from typing import Final

from tools.cluster import cache, gobuild, packages, progress, settings, wheels
from tools.cluster.images import archive

AUTHORITIES: Final = pathlib.Path("/etc/ssl/certs/ca-certificates.crt")
BASE_PACKAGES: Final = ("ca-certificates", "python3", "python3-venv")
BASE_TRIMMED: Final = ("/usr/share/doc/*", "/usr/share/man/*", "/usr/share/locale/*")
PIP_CONFIGURATION: Final = f"[global]\ncert = {AUTHORITIES}\ndisable-pip-version-check = 1\n"
"""pip brings authorities of its own; in the image it shall trust what this machine trusts."""
TRAEFIK_IMAGE: Final = settings.IMAGE_PREFIX + "traefik:v3"
PROMETHEUS_IMAGE: Final = settings.IMAGE_PREFIX + "prometheus:debian"
CONTOUR_IMAGE: Final = settings.IMAGE_PREFIX + "contour:" + settings.CONTOUR
ENVOY_IMAGE: Final = settings.IMAGE_PREFIX + "envoy:v1"
ISTIO_IMAGE: Final = settings.IMAGE_PREFIX + "istio:" + settings.ISTIO
KNATIVE_IMAGES: Final = {
    f"knative-{name}": f"{settings.IMAGE_PREFIX}knative-{name}:{settings.KNATIVE}"
    for name in settings.KNATIVE_PROGRAMS
}
"""By program."""
SKIPPER_IMAGE: Final = settings.IMAGE_PREFIX + "skipper:" + settings.SKIPPER


@dataclasses.dataclass(frozen=True)
class Recipe:
    """How an image is made from one program."""

    tag: str
    program: Callable[[], pathlib.Path]
    name: str
    """What the program is called inside, below /usr/bin."""
    on_base: bool = False
    """The program needs the C library, so it stands on the base image."""
    user: str = "65532"
    """Not root; the images of pods with their own security context must not need it."""


def _prometheus() -> pathlib.Path:
    packages.ensure(packages.PROMETHEUS)
    return pathlib.Path(packages.path("prometheus"))


def _built(name: str) -> Callable[[], pathlib.Path]:
    return lambda: gobuild.binary(name)


RECIPES: Final = {
    recipe.tag: recipe
    for recipe in (
        Recipe(settings.PAUSE_IMAGE, lambda: gobuild.binary("pause"), "pause"),
        # Port 53 is for root.
        Recipe(settings.COREDNS_IMAGE, lambda: gobuild.binary("coredns"), "coredns", user="0"),
        Recipe(TRAEFIK_IMAGE, lambda: wheels.binary("traefik"), "traefik"),
        Recipe(PROMETHEUS_IMAGE, _prometheus, "prometheus", on_base=True),
        Recipe(CONTOUR_IMAGE, lambda: gobuild.binary("contour"), "contour"),
        Recipe(ENVOY_IMAGE, lambda: wheels.binary("envoy"), "envoy", on_base=True),
        Recipe(ISTIO_IMAGE, lambda: gobuild.binary("pilot-discovery"), "pilot-discovery"),
        *(Recipe(tag, _built(name), name) for name, tag in KNATIVE_IMAGES.items()),
        Recipe(SKIPPER_IMAGE, lambda: gobuild.binary("skipper"), "skipper"),
    )
}
SYSTEM: Final = (settings.PAUSE_IMAGE, settings.COREDNS_IMAGE)
"""What the cluster itself needs."""
DATA_PLANES: Final = (
    CONTOUR_IMAGE,
    ENVOY_IMAGE,
    ISTIO_IMAGE,
    *KNATIVE_IMAGES.values(),
    SKIPPER_IMAGE,
)
"""Made only when somebody asks for them: some take minutes to build."""


def tags() -> Sequence[str]:
    """Return the tags of all images that are made here."""
    return (settings.BASE_IMAGE, *RECIPES)


def image(tag: str) -> pathlib.Path:
    """Return the archive of an image, making it first if needed.

    Raises:
        KeyError: no such image is made here; see `tags`.
    """
    if tag == settings.BASE_IMAGE:
        return _base() / "image.tar"
    recipe = RECIPES[tag]
    program = recipe.program()
    status = program.stat()
    # Programs of the cache have their version in the path; Debian's have not.
    parts = (str(program), str(status.st_size), str(status.st_mtime), repr(recipe.user))
    below = [_base() / "layer.tar"] if recipe.on_base else []
    key = f"image-{recipe.name}-{settings.digest([*parts, *map(str, below)])}"

    def make(folder: pathlib.Path) -> None:
        with progress.step(f"making image {tag}"):
            layer = folder / "layer.tar"
            archive.write_layer(layer, {f"usr/bin/{recipe.name}": program})
            layers = [*below, layer]
            content = archive.Image(
                tag,
                layers,
                platform.machine(),
                (f"/usr/bin/{recipe.name}",),
                user=recipe.user,
            )
            archive.write(folder / "image.tar", content)
            layer.unlink()

    return cache.made(key, make) / "image.tar"


def _base() -> pathlib.Path:
    """Return the folder with the base image: Debian with Python, as archive and as layer."""
    trusted = AUTHORITIES.read_bytes() if AUTHORITIES.exists() else b""
    parts = (*BASE_PACKAGES, *BASE_TRIMMED, PIP_CONFIGURATION, trusted)
    return cache.made(f"image-base-{settings.SUITE}-{settings.digest(parts)}", _make_base)


def _make_base(folder: pathlib.Path) -> None:
    packages.ensure(packages.BASE_IMAGE)
    with progress.step("making the base image (Debian with Python)"):
        with tempfile.TemporaryDirectory() as scratch:
            _bootstrap(folder / "layer.tar", pathlib.Path(scratch))
        environment = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"}
        content = archive.Image(
            settings.BASE_IMAGE,
            [folder / "layer.tar"],
            platform.machine(),
            command=("bash",),
            environment={**environment, "LANG": "C.UTF-8"},
        )
        archive.write(folder / "image.tar", content)


def _bootstrap(layer: pathlib.Path, scratch: pathlib.Path) -> None:
    """Write the root file system of a small Debian, with this machine's package sources."""
    copies = {"/etc/pip.conf": scratch / "pip.conf"}
    copies["/etc/pip.conf"].write_text(PIP_CONFIGURATION)
    if AUTHORITIES.exists():
        copies[str(AUTHORITIES)] = scratch / "authorities.crt"
        shutil.copy(AUTHORITIES, copies[str(AUTHORITIES)])
    argv = [packages.path("mmdebstrap"), "--mode=root", "--variant=minbase", "--quiet"]
    argv += [f"--include={','.join(BASE_PACKAGES)}"]
    argv += [f"--dpkgopt=path-exclude={pattern}" for pattern in BASE_TRIMMED]
    argv += [f"--customize-hook=upload {source} {name}" for name, source in copies.items()]
    argv += ["--customize-hook=rm -rf $1/var/cache/apt/* $1/var/lib/apt/lists/*"]
    argv += [settings.SUITE, str(layer)]
    done = subprocess.run(argv, capture_output=True, text=True, cwd=scratch)
    if done.returncode != 0:
        raise settings.ClusterError(f"could not make the base image:\n{done.stderr[-3000:]}")
