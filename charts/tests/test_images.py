"""The Dockerfile and compose.yaml, structurally: what builds them is tested with the cluster."""

import fnmatch
import importlib.metadata
import pathlib
import re
from typing import Any

import pytest
import yaml

TARGETS = ("podinfo", "controller", "gatekeeper", "helmtester", "loadtester")
ROOT = pathlib.Path(__file__).parent.parent.parent


def instructions() -> list[str]:
    """The Dockerfile, one instruction a line, without comments."""
    lines = (ROOT / "Dockerfile").read_text().splitlines()
    text = "\n".join(line for line in lines if not line.lstrip().startswith("#"))
    return [line for line in text.replace("\\\n", " ").splitlines() if line]


def stages() -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for line in instructions():
        if match := re.fullmatch(r"FROM (\S+) AS (\S+)", line):
            found[match[2]] = []
        if found:
            found[list(found)[-1]].append(line)
    return found


def test_a_stage_for_each_image() -> None:
    assert set(TARGETS) <= set(stages())


def test_only_syntax_of_the_classic_builder() -> None:
    text = (ROOT / "Dockerfile").read_text()
    assert not text.lower().startswith("# syntax")
    for line in instructions():
        assert "--mount" not in line
        assert "<<" not in line
        assert not re.match(r"COPY .*--(chmod|link|parents)", line)


@pytest.mark.parametrize("target", TARGETS)
def test_images_run_as_a_numbered_user_without_tools_to_build(target: str) -> None:
    lines = stages()[target]
    (user,) = (line for line in lines if line.startswith("USER"))
    assert user == "USER 10001:10001"
    assert not any(line.startswith(("RUN", "COPY")) for line in lines[lines.index(user) :])
    assert lines[-1].startswith("ENTRYPOINT [")
    assert not any("pip" in line or "gcc" in line for line in lines)


def test_no_volume_hides_what_programs_read() -> None:
    """Upstream's image has ghz's description of the health service in /tmp, a volume of the pod."""
    copies = [line.split() for line in stages()["loadtester"] if line.startswith("COPY")]
    places = {words[-1] for words in copies}
    assert ["COPY", "--from=loadtester-environment", "/build/share/", "/usr/local/share/"] in copies
    assert not any(place.startswith("/tmp") for place in places)


def test_packages_are_locked() -> None:
    text = " ".join(instructions())
    installs = re.findall(r"\./install \S+ (\S+)", text)
    assert set(installs) == {"--require-hashes", "--no-deps"}
    for target in TARGETS[1:]:
        assert re.search(rf'--require-hashes -r "?locks/{target}[.$]', text)
        assert (ROOT / "locks" / f"{target}.txt").is_file()


def test_the_controller_has_the_clouds_unless_told_otherwise() -> None:
    text = (ROOT / "Dockerfile").read_text()
    assert "ARG CLOUDS=yes" in text
    assert '-r "locks/controller${CLOUDS:+-clouds}.txt"' in text
    small, whole = (
        set(re.findall(r"^([\w-]+)==", (ROOT / "locks" / name).read_text(), re.MULTILINE))
        for name in ("controller.txt", "controller-clouds.txt")
    )
    assert small < whole
    assert {"boto3", "google-auth"} <= whole - small


def test_the_build_backend_is_complete() -> None:
    (names,) = re.findall(r"\^\((\S+)\)==/", (ROOT / "Dockerfile").read_text())
    needed = {
        re.split(r"[^\w-]", requirement)[0]
        for requirement in importlib.metadata.requires("hatchling") or ()
        if "python_version" not in requirement
    }
    assert set(names.split("|")) == {"hatchling", *needed}
    locked = (ROOT / "locks/all.txt").read_text()
    for name in names.split("|"):
        assert re.search(rf"^{name}==", locked, re.MULTILINE)


def ignored(path: str) -> bool:
    """What .dockerignore says: the last pattern that matches the path or a folder above decides."""
    parts = path.split("/")
    verdict = False
    for line in (ROOT / ".dockerignore").read_text().splitlines():
        pattern = line.removeprefix("!")
        if not line or line.startswith("#"):
            continue
        if pattern.startswith("**"):
            last = pattern.removeprefix("**/")
            matches = any(fnmatch.fnmatch(part, last) for part in parts)
        else:
            matches = f"{path}/".startswith(f"{pattern}/")
        if matches:
            verdict = not line.startswith("!")
    return verdict


def test_the_context_has_what_is_copied_and_little_else() -> None:
    for path in (
        "LICENSE",
        "locks/controller.txt",
        "libs/common/pyproject.toml",
        "libs/common/src/flagger_common/version.py",
        "services/controller/src/flagger_controller/__init__.py",
        "examples/podinfo/podinfo/__main__.py",
        ".build/bin/helm",
        ".build/share/ghz/health.proto",
        ".build/wheels/x.whl",
    ):
        assert not ignored(path), path
    for path in (
        ".git/config",
        ".venv/bin/python",
        "libs/common/src/flagger_common/__pycache__/x.pyc",
        "services/controller/tests/test_x.py",
        "examples/podinfo/tests/test_podinfo.py",
        "uv.lock",
    ):
        assert ignored(path), path


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((ROOT / "compose.yaml").read_text())
    return found


def test_compose_builds_our_images(compose: dict[str, Any]) -> None:
    from flagger_common import version

    services = compose["services"]
    assert set(services) == {*TARGETS, "prometheus"}
    for name in TARGETS:
        assert services[name]["build"]["target"] == name
        assert services[name]["image"] == f"flagger-py/{name}:{version.__version__}"
        arguments = set(services[name]["build"]["args"])
        declared = {line.split()[1].partition("=")[0] for line in instructions() if "ARG" in line}
        assert arguments <= declared


def test_compose_services_are_restricted(compose: dict[str, Any]) -> None:
    ports = []
    for service in compose["services"].values():
        assert service["read_only"] is True
        assert service["cap_drop"] == ["ALL"]
        assert service["security_opt"] == ["no-new-privileges:true"]
        assert service["healthcheck"]["test"][0] == "CMD"
        ports += service["ports"]
    assert all(port.startswith("127.0.0.1:") for port in ports)
    assert len({port.split(":")[1] for port in ports}) == len(ports)


def test_compose_keeps_gates(compose: dict[str, Any]) -> None:
    gatekeeper = compose["services"]["gatekeeper"]
    assert "-store-dsn=/data/gates.sqlite" in gatekeeper["command"]
    assert gatekeeper["volumes"] == ["gates:/data"]
    assert "gates" in compose["volumes"]
    profiles = {n: s["profiles"] for n, s in compose["services"].items() if "profiles" in s}
    assert profiles == {"helmtester": ["cluster"], "controller": ["cluster"]}


def test_compose_prometheus_asks_the_services(compose: dict[str, Any]) -> None:
    config = yaml.safe_load(compose["configs"]["prometheus"]["content"])
    targets = [
        t for j in config["scrape_configs"] for s in j["static_configs"] for t in s["targets"]
    ]
    assert {target.split(":")[0] for target in targets} == set(TARGETS)


def test_no_file_names_this_machine_or_a_registry() -> None:
    hosts = re.compile(r"pypi|ghcr\.io|quay\.io|gcr\.io|docker\.io|/root/|/work/|/home/(?!app\b)")
    files = [ROOT / name for name in ("Dockerfile", "compose.yaml", ".dockerignore")]
    for folder in ("charts", "examples"):
        files += [path for path in (ROOT / folder).rglob("*") if path.is_file()]
    for path in files:
        if "__pycache__" not in path.parts and path != pathlib.Path(__file__):
            assert not hosts.search(path.read_text()), path
