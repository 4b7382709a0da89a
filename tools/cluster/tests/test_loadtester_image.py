"""The load tester's image: every program that is documented is in it, and starts in a pod."""

import os

import pytest
from tools.cluster import settings
from tools.cluster.images import engine, suite

pytestmark = [
    pytest.mark.cluster,
    pytest.mark.timeout(1800),  # Go programs and the image may have to be built
    pytest.mark.skipif(os.geteuid() != 0, reason="our own Docker engine needs root"),
]
PROGRAMS = {
    "bash --version": "GNU bash",
    "bats --version": "Bats",
    "curl --version": "curl",
    "ghz --version": settings.GHZ,
    "grpc_health_probe -version": settings.GRPC_HEALTH_PROBE,
    "helm version --short": settings.HELM,
    "hey": "Usage: hey",
    "jq --version": "jq-",
    "kubectl version --client": "Client Version",
    "locust --version": "locust",
    "wget --version": "Wget",
    "wrk -v": "wrk",
}
"""Command, and a word of what it says, whatever its exit code."""


@pytest.fixture(scope="module")
def image() -> str:
    (tag,) = suite.build(["loadtester"])
    return tag


def run(image: str, script: str) -> str:
    """Run a script in the image as our chart does: read-only, as the user of the image."""
    flags = ("--rm", "--network=host", "--read-only", "--tmpfs=/tmp", "--cap-drop=ALL")
    return engine.docker("run", *flags, "--entrypoint=sh", image, "-c", script)


def test_programs_start(image: str) -> None:
    said = {command: run(image, f"{command} 2>&1 || true") for command in PROGRAMS}
    missing = {name: said[name] for name, word in PROGRAMS.items() if word not in said[name]}
    assert not missing


def test_ghz_finds_the_health_service(image: str) -> None:
    assert "service Health" in run(image, f"cat /usr/local/share/{suite.HEALTH_PROTO}")


def test_the_entry_points_of_existing_manifests(image: str) -> None:
    """`./loadtester` in the working directory, and a user without rights."""
    assert "-namespace-regexp" in run(image, "./loadtester -h")
    assert run(image, "id -u").strip() == "10001"
