"""The programs of the load tester's image that are built here, against a real gRPC server."""

import json
import pathlib
import socket
import subprocess
from collections.abc import Iterator

import pytest
from tools.cluster import gobuild, settings
from tools.cluster.images import suite

pytestmark = pytest.mark.timeout(600)  # they may have to be built


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    """Where a healthy server listens."""
    argv = [str(gobuild.binary("grpc_health")), "serve", "127.0.0.1:0"]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        yield server.stdout.readline().strip()
        server.terminate()


@pytest.fixture
def build_folder(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> pathlib.Path:
    """A folder .build, filled; with stand-ins for what takes minutes to build or is downloaded."""
    for name in ("helm", "kubectl"):
        monkeypatch.setitem(suite.PROGRAMS, name, lambda: pathlib.Path("/bin/true"))
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "k6").write_text("mine")
    suite.put_programs(tmp_path)
    return tmp_path


def test_the_build_folder_gets_our_programs_and_keeps_yours(build_folder: pathlib.Path) -> None:
    names = {path.name for path in (build_folder / "bin").iterdir()}
    assert names == {*suite.PROGRAMS, "k6"}
    assert (build_folder / "bin" / "k6").read_text() == "mine"
    suite.put_programs(build_folder)  # over what is there


def test_programs_tell_their_pinned_versions(build_folder: pathlib.Path) -> None:
    def said(*argv: str) -> str:
        command = [str(build_folder / "bin" / argv[0]), *argv[1:]]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        return done.stdout + done.stderr

    assert said("ghz", "--version").strip() == settings.GHZ
    assert said("grpc_health_probe", "-version").startswith(settings.GRPC_HEALTH_PROBE)


@pytest.mark.parametrize("described", [True, False], ids=["by file", "by the server"])
def test_ghz_calls_the_health_service(
    build_folder: pathlib.Path, address: str, described: bool
) -> None:
    argv = [str(build_folder / "bin" / "ghz"), "--insecure", "--format=json"]
    argv += ["--call=grpc.health.v1.Health/Check", "--total=20", "--concurrency=2"]
    if described:
        argv.append(f"--proto={build_folder / 'share' / suite.HEALTH_PROTO}")
    done = subprocess.run([*argv, address], capture_output=True, text=True, check=True)
    report = json.loads(done.stdout)
    assert report["statusCodeDistribution"] == {"OK": 20}


def test_the_probe_tells_healthy_from_away(build_folder: pathlib.Path, address: str) -> None:
    def probe(where: str) -> int:
        program = build_folder / "bin" / "grpc_health_probe"
        argv = [str(program), "-connect-timeout=5s", f"-addr={where}"]
        return subprocess.run(argv, capture_output=True).returncode

    assert probe(address) == 0
    with socket.socket() as unused:  # bound, and nobody listens
        unused.bind(("127.0.0.1", 0))
        assert probe(f"127.0.0.1:{unused.getsockname()[1]}") != 0
