"""Go programs, built from modules that are pinned in this folder.

Every program has a small module of its own with a committed go.mod and go.sum: `go install
module@version` would check no sums of ours, and refuses modules that replace others.
"""

import dataclasses
import os
import pathlib
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from typing import Final

from tools.cluster import cache, progress, settings

COMPONENT = "k8s.io/component-base/version."


@dataclasses.dataclass(frozen=True)
class Program:
    """A static binary and how to build it."""

    name: str
    version: str
    folder: str
    """Module folder, relative to this package."""
    package: str
    """What to build, as `go build` takes it."""
    variables: tuple[tuple[str, str], ...] = ()
    """Set at link time. Without a version the kubelet reports garbage that clients reject."""

    @property
    def module(self) -> pathlib.Path:
        """Folder with go.mod."""
        return settings.HERE / self.folder

    def key(self) -> str:
        """Return the cache key: version, sources, sums and build options."""
        sources = sorted(self.module.glob("*.go"))
        files = [self.module / "go.mod", self.module / "go.sum", *sources]
        content = [path.read_bytes() for path in files if path.exists()]
        return f"{self.name}-{self.version}-{settings.digest([*content, repr(self)])}"


def _kubernetes() -> tuple[tuple[str, str], ...]:
    major, minor, _ = settings.KUBERNETES.removeprefix("v").split(".")
    return (
        (COMPONENT + "gitVersion", settings.KUBERNETES),
        (COMPONENT + "gitMajor", major),
        (COMPONENT + "gitMinor", minor),
        (COMPONENT + "gitTreeState", "clean"),
    )


PROGRAMS: Final = {
    program.name: program
    for program in (
        Program("kube", settings.KUBERNETES, "kubernetes", ".", _kubernetes()),
        Program(
            "kwok",
            settings.KWOK,
            "go/kwok",
            "sigs.k8s.io/kwok/cmd/kwok",
            (("sigs.k8s.io/kwok/pkg/consts.Version", settings.KWOK),),
        ),
        Program(
            "helm",
            settings.HELM,
            "go/helm",
            "helm.sh/helm/v3/cmd/helm",
            (("helm.sh/helm/v3/internal/version.version", settings.HELM),),
        ),
        Program("etcd", settings.ETCD, "go/etcd", "go.etcd.io/etcd/server/v3"),
        Program("coredns", settings.COREDNS, "go/coredns", "."),
        Program("pause", settings.PAUSE, "go/pause", "."),
    )
}
"""What the cluster is made of."""

PEERS: Final = {
    name: Program(name, settings.FLAGGER, "go/flagger", f"github.com/fluxcd/flagger/cmd/{name}")
    for name in ("flagger", "loadtester")
}
"""What we are only compared with: built when it is asked for."""

LOAD_TOOLS: Final = {
    program.name: program
    for program in (
        Program(
            "ghz",
            settings.GHZ,
            "go/grpc",
            "github.com/bojand/ghz/cmd/ghz",
            (("main.version", settings.GHZ),),
        ),
        Program(
            "grpc_health_probe",
            settings.GRPC_HEALTH_PROBE,
            "go/grpc",
            "github.com/grpc-ecosystem/grpc-health-probe",
            (("main.versionTag", settings.GRPC_HEALTH_PROBE),),
        ),
        Program("grpc_health", settings.GRPC_HEALTH, "go/grpc", "."),
    )
}
"""What the load tester's image has, and what its tests need: built for that image."""

DATA_PLANES: Final = {
    program.name: program
    for program in (
        Program(
            "contour",
            settings.CONTOUR,
            "go/contour",
            "github.com/projectcontour/contour/cmd/contour",
            (("github.com/projectcontour/contour/internal/build.Version", settings.CONTOUR),),
        ),
        Program(
            "skipper",
            settings.SKIPPER,
            "go/skipper",
            "github.com/zalando/skipper/cmd/skipper",
            (("main.version", settings.SKIPPER),),
        ),
        Program(
            "pilot-discovery",
            settings.ISTIO,
            "go/istio",
            "istio.io/istio/pilot/cmd/pilot-discovery",
        ),
        *(
            Program(
                f"knative-{name}", settings.KNATIVE, "go/knative", f"knative.dev/serving/cmd/{name}"
            )
            for name in settings.KNATIVE_PROGRAMS
        ),
    )
}
"""What moves traffic in end-to-end tests: built when such a test runs."""


def binary(name: str) -> pathlib.Path:
    """Return the path of a built program, building it first if needed.

    Raises:
        ClusterError: there is no Go, or the build failed.
    """
    program = {**PROGRAMS, **PEERS, **LOAD_TOOLS, **DATA_PLANES}[name]
    return cache.made(program.key(), lambda folder: _build(program, folder / name)) / name


def _environment() -> dict[str, str]:
    flags = "-mod=readonly -trimpath -buildvcs=false"
    return {**os.environ, "CGO_ENABLED": "0", "GOFLAGS": flags, "GOWORK": "off"}


def _go() -> str:
    found = shutil.which("go") or shutil.which("go", path="/usr/local/go/bin")
    if not found:
        raise settings.ClusterError("the test cluster is built with Go 1.26 or newer: no `go` here")
    return found


def _build(program: Program, output: pathlib.Path) -> None:
    with progress.step(f"building {program.name} {program.version}") as step:
        stale = _stale_packages(program, step)
        link = " ".join(["-s -w", *(f"-X {name}={value}" for name, value in program.variables)])
        argv = [_go(), "build", "-v", f"-ldflags={link}", "-o", str(output), program.package]
        compiled = 0

        def count(line: str) -> None:
            nonlocal compiled
            compiled += 1
            step.update(f"{compiled} of {stale} packages, {line}")

        _run(argv, program, count)


def _stale_packages(program: Program, step: progress.Step) -> int:
    """Count the packages to compile; as a side effect the modules are downloaded."""
    modules = 0

    def count(line: str) -> None:
        nonlocal modules
        if line.startswith("go: downloading"):
            modules += 1
            step.update(f"module {modules}, {line.removeprefix('go: downloading ')}")

    argv = [_go(), "list", "-deps", "-f", "{{if .Stale}}{{.ImportPath}}{{end}}", program.package]
    output = _run(argv, program, count)
    return len(output.split())


def _run(argv: list[str], program: Program, on_line: Callable[[str], None]) -> str:
    """Run a go command; hand on its error lines as they come; return what it printed."""
    lines = []
    # The output goes to a file: a full pipe would block the command while we read its errors.
    with tempfile.TemporaryFile("w+") as output:
        with subprocess.Popen(
            argv,
            cwd=program.module,
            env=_environment(),
            stdout=output,
            stderr=subprocess.PIPE,
            text=True,
        ) as process:
            for line in process.stderr or ():
                lines.append(line)
                on_line(line.strip())
        if process.returncode != 0:
            tail = "".join(lines[-20:])
            raise settings.ClusterError(f"{' '.join(argv[:2])} of {program.name} failed:\n{tail}")
        output.seek(0)
        return output.read()
