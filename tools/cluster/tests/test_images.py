"""Images made without an engine, and what is known of the repository's own."""

import hashlib
import json
import os
import pathlib
import tarfile

import pytest
from tools.cluster import settings
from tools.cluster.images import archive, catalog, engine, suite


def write(folder: pathlib.Path, content: str) -> tuple[pathlib.Path, str]:
    program = folder / "program"
    program.write_text(content)
    program.chmod(0o755)
    layer, image = folder / "layer.tar", folder / "image.tar"
    archive.write_layer(layer, {"usr/bin/program": program})
    identity = archive.write(image, archive.Image("test/x:1", [layer], "x86_64", ("/usr/bin/x",)))
    return image, identity


def test_an_archive_holds_the_layer_and_names_it_by_its_digest(tmp_path: pathlib.Path) -> None:
    image, identity = write(tmp_path, "content")
    with tarfile.open(image) as outer:
        content = {m.name: f.read() for m in outer if (f := outer.extractfile(m))}
    (manifest,) = json.loads(content["manifest.json"])
    data = content[manifest["Layers"][0]]
    document = json.loads(content[manifest["Config"]])
    assert manifest["RepoTags"] == ["test/x:1"]
    assert document["architecture"] == "amd64"
    assert document["rootfs"]["diff_ids"] == [f"sha256:{hashlib.sha256(data).hexdigest()}"]
    with tarfile.open(tmp_path / "layer.tar") as inner:
        modes = {member.name: oct(member.mode) for member in inner}
    assert modes == {"usr": "0o755", "usr/bin": "0o755", "usr/bin/program": "0o755"}
    assert archive.identity(image) == identity


def test_the_same_content_is_the_same_image(tmp_path: pathlib.Path) -> None:
    first, second, third = (tmp_path / name for name in ("first", "second", "third"))
    for folder in (first, second, third):
        folder.mkdir()
    assert write(first, "a")[1] == write(second, "a")[1]
    assert write(first, "a")[1] != write(third, "b")[1]


def test_images_of_the_suite_carry_its_version() -> None:
    assert suite.tag("controller").startswith("flagger-py/controller:")
    assert suite.version()[0].isdigit()
    dockerfile = (settings.REPOSITORY / "Dockerfile").read_text()
    for target in suite.TARGETS:
        assert f" AS {target}\n" in dockerfile


def test_every_image_with_a_purpose_has_a_recipe() -> None:
    assert {*catalog.SYSTEM, *catalog.DATA_PLANES} <= set(catalog.tags())


@pytest.mark.cluster
@pytest.mark.timeout(600)
@pytest.mark.skipif(os.geteuid() != 0, reason="our own Docker engine needs root")
def test_a_dockerfile_is_built_on_the_base_image(tmp_path: pathlib.Path) -> None:
    dockerfile = tmp_path / "Dockerfile"
    dockerfile.write_text(
        "ARG BASE_IMAGE\nFROM ${BASE_IMAGE} AS one\nARG WHO\n"
        "RUN python3 -m venv --without-pip /opt/venv && echo $WHO >/who\nFROM one AS two\n"
    )
    engine.build_image(dockerfile, "one", "flagger-test/check:1", tmp_path, {"WHO": "me"})
    run = ("run", "--rm", "--network=host", "flagger-test/check:1", "cat", "/who")
    assert engine.docker(*run) == "me\n"
    engine.docker("image", "rm", "flagger-test/check:1")


@pytest.mark.cluster
@pytest.mark.timeout(600)
@pytest.mark.skipif(os.geteuid() != 0, reason="our own Docker engine needs root")
def test_a_failing_build_is_reported_with_its_last_lines(tmp_path: pathlib.Path) -> None:
    dockerfile = tmp_path / "Dockerfile"
    dockerfile.write_text("ARG BASE_IMAGE\nFROM ${BASE_IMAGE} AS one\nRUN echo why; exit 3\n")
    with pytest.raises(settings.ClusterError, match=r"(?s)could not build .*why.*code: 3"):
        engine.build_image(dockerfile, "one", "flagger-test/check:2", tmp_path)
