"""The kinds of clusters: chosen by name, and those that other programs make."""

import pathlib
import sys

import pytest
from tools.cluster import providers, settings
from tools.cluster.images import catalog

FAKE_KIND = f"""#!{sys.executable}
import pathlib, sys
folder = pathlib.Path(__file__).parent
with (folder / "calls").open("a") as calls:
    calls.write(" ".join(sys.argv[1:]) + "\\n")
state = folder / "state"
match sys.argv[1:3]:
    case ["get", "clusters"]:
        print(state.read_text() if state.exists() else "")
    case ["create", "cluster"]:
        state.write_text("flagger-test")
    case ["delete", "cluster"]:
        state.unlink(missing_ok=True)
    case ["load", "image-archive"] if not pathlib.Path(sys.argv[3]).exists():
        sys.exit("no such archive")
"""


@pytest.fixture
def kind(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> pathlib.Path:
    """A stand-in for kind that remembers its clusters and its calls."""
    program = tmp_path / "kind"
    program.write_text(FAKE_KIND)
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("FLAGGER_CACHE", str(tmp_path / "cache"))
    return tmp_path


def calls(folder: pathlib.Path) -> list[str]:
    return (folder / "calls").read_text().splitlines()


@pytest.mark.parametrize("name", providers.PROVIDERS)
def test_every_provider_loads_and_has_the_methods(name: str) -> None:
    provider = providers.load(name)
    for method in ("up", "down", "status", "kubeconfig", "load"):
        assert callable(getattr(provider, method))


def test_an_unknown_name_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLUSTER", "minikube")
    with pytest.raises(settings.ClusterError, match="there are: local, kind, current"):
        providers.chosen()


def test_kind_creates_once_and_deletes(kind: pathlib.Path) -> None:
    cluster = providers.load("kind")
    assert cluster.status() == "no kind cluster"
    cluster.up()
    cluster.up()
    assert cluster.status() is None
    cluster.down()
    assert cluster.status() == "no kind cluster"
    assert sum(line.startswith("create cluster") for line in calls(kind)) == 1
    assert str(kind) in str(cluster.kubeconfig())


def test_kind_loads_archives(kind: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    archive = kind / "image.tar"
    archive.touch()
    monkeypatch.setattr(catalog, "image", lambda tag: archive)
    providers.load("kind").load([settings.BASE_IMAGE])
    assert f"load image-archive {archive} --name flagger-test" in calls(kind)


def test_current_says_what_is_up_to_the_user(capsys: pytest.CaptureFixture[str]) -> None:
    providers.load("current").load(["some/image:1"])
    assert "must already be on the nodes" in capsys.readouterr().err


def test_current_takes_the_first_kubeconfig(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KUBECONFIG", "/one:/two")
    assert providers.load("current").kubeconfig() == pathlib.Path("/one")
