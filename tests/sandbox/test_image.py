"""The image is built without a registry and serves an unprivileged user on a read-only root."""

from __future__ import annotations

import uuid
from collections.abc import Iterator

import docker
import pytest

from codegym.errors import SandboxUnavailable
from codegym.sandbox import image
from codegym.sandbox.image import BOX_PATH, PACKAGES_PATH, build_image, ensure_image, image_tag


@pytest.fixture(scope="module")
def client() -> Iterator[docker.DockerClient]:
    client = docker.from_env()
    yield client
    client.close()


@pytest.fixture(scope="module")
def tag(client: docker.DockerClient) -> Iterator[str]:
    """An image from the host's interpreter, under a repository name of its own that is gone afterwards."""
    with pytest.MonkeyPatch.context() as patch:
        repository = f"codegym-test-{uuid.uuid4().hex[:8]}"
        patch.setattr(image, "_REPOSITORY", repository)
        yield build_image(client, strategy="host")
    for left in client.images.list(repository):
        client.images.remove(left.id, force=True)


def run(client: docker.DockerClient, tag: str, code: str) -> str:
    command = ["python", "-I", "-S", "-c", code]
    box = client.containers.run(
        tag, command, remove=True, network_mode="none", read_only=True, user="12345:12345", tmpfs={"/tmp": ""}
    )
    return box.decode().strip()


@pytest.mark.docker
def test_python_of_the_host_runs_without_rights(client: docker.DockerClient, tag: str) -> None:
    assert (
        run(client, tag, "import os, sys; print(os.getuid(), sys.version_info[:2])")
        == f"12345 {image.sys.version_info[:2]}"
    )


@pytest.mark.docker
@pytest.mark.parametrize(
    "module", ["asyncio", "bz2", "ctypes", "decimal", "hashlib", "json", "lzma", "multiprocessing", "sqlite3", "ssl"]
)
def test_extension_module_finds_its_libraries(client: docker.DockerClient, tag: str, module: str) -> None:
    pytest.importorskip(module)
    assert run(client, tag, f"import {module}; print('fine')") == "fine"


@pytest.mark.docker
def test_standard_library_is_compiled(client: docker.DockerClient, tag: str) -> None:
    # nothing could be compiled later on a read-only root
    code = "import fractions, os, inspect; print(os.path.exists(fractions.__cached__), inspect.__cached__ != '')"
    assert run(client, tag, code) == "True True"


@pytest.mark.docker
def test_every_path_can_be_read_and_no_program_gains_rights(client: docker.DockerClient, tag: str) -> None:
    code = """
import os
bad = []
for top in ("/bin", "/usr", "/lib", "/etc", %r, %r):
    for folder, folders, files in os.walk(top, onerror=bad.append):
        for path in (os.path.join(folder, name) for name in folders + files):
            if not os.access(path, os.R_OK) or os.lstat(path).st_mode & 0o6000:
                bad.append(path)
print(bad, os.system("exit 3") >> 8)
"""
    assert run(client, tag, code % (BOX_PATH, PACKAGES_PATH)) == "[] 3"


@pytest.mark.docker
def test_box_is_there_as_it_is_in_the_checkout(client: docker.DockerClient, tag: str) -> None:
    code = f"import glob; print(*sorted(glob.glob('{BOX_PATH}/*.py')))"
    assert run(client, tag, code).split() == [f"{BOX_PATH}/{file.name}" for file in image._box_files()]


@pytest.mark.docker
def test_image_of_another_origin_serves_as_base(client: docker.DockerClient, tag: str) -> None:
    lines: list[str] = []
    repository = tag.partition(":")[0]
    client.images.get(tag).tag(repository, "base")
    other = build_image(client, base=f"{repository}:base", progress=lines.append)
    assert other != tag
    assert "by strategy registry" in lines[-1]


@pytest.mark.docker
def test_second_call_builds_nothing(client: docker.DockerClient, tag: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(image, "_STRATEGIES", {})
    assert ensure_image(client) == tag


@pytest.mark.docker
@pytest.mark.slow
def test_packages_can_be_imported(client: docker.DockerClient, tag: str) -> None:
    other = build_image(client, strategy="host", packages=["sortedcontainers"])
    code = f"import sys; sys.path.append('{PACKAGES_PATH}'); import sortedcontainers; print('fine')"
    assert run(client, other, code) == "fine"


@pytest.mark.docker
def test_every_strategy_tells_why_it_failed(client: docker.DockerClient, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> str:
        raise SandboxUnavailable("no luck")

    monkeypatch.setattr(image, "_STRATEGIES", {"one": fail, "other": fail})
    with pytest.raises(SandboxUnavailable, match=r"(?s)one: no luck.*other: no luck"):
        build_image(client)


@pytest.mark.docker
def test_python_that_does_not_start_is_refused(client: docker.DockerClient, monkeypatch: pytest.MonkeyPatch) -> None:
    good, name = image._from_host(client, None, print), f"codegym-test-base-{uuid.uuid4().hex[:8]}"

    def same_again(client: docker.DockerClient, *_: object) -> str:
        """The base that there is already, since making one takes ten seconds, under a name of its own."""
        client.images.get(good).tag(name, "host")
        return f"{name}:host"

    monkeypatch.setattr(image, "_TRIAL", "raise SystemExit('broken')")
    monkeypatch.setattr(image, "_BASE_REPOSITORY", name)
    monkeypatch.setattr(image, "_STRATEGIES", {"host": same_again})
    monkeypatch.setattr(image, "image_tag", lambda *_: "codegym-test:refused")
    with pytest.raises(SandboxUnavailable, match="broken"):
        build_image(client, strategy="host")
    assert not client.images.list(name)
    assert client.images.get(good)
    assert not client.images.list("codegym-test:refused")


@pytest.mark.docker
def test_removal_takes_what_was_made_here(client: docker.DockerClient, monkeypatch: pytest.MonkeyPatch) -> None:
    name = f"codegym-test-{uuid.uuid4().hex[:8]}"
    monkeypatch.setattr(image, "_REPOSITORY", name)
    monkeypatch.setattr(image, "LABEL", name)  # so that images of this machine's user stay
    made = build_image(client, strategy="host")
    assert image.remove_images(client) == [made]
    assert not client.images.list(name)


@pytest.mark.docker
def test_a_nameless_image_goes_when_no_container_runs_from_it(
    client: docker.DockerClient, tag: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = f"codegym-test-{uuid.uuid4().hex[:8]}"
    monkeypatch.setattr(image, "LABEL", name)
    old = client.containers.create(tag, "true")
    nameless = old.commit(changes=f"LABEL {name}=1")
    old.remove()
    runs = client.containers.run(nameless, ["python", "-c", "input()"], detach=True, stdin_open=True)
    try:
        assert image.remove_nameless_images(client) == []
    finally:
        runs.remove(force=True)
    assert image.remove_nameless_images(client) == [nameless.short_id]


def test_tag_depends_on_packages_in_any_order_and_on_the_base() -> None:
    assert image_tag() == image_tag([])
    assert image_tag(["a", "b"]) == image_tag(["b", "a"])
    assert len({image_tag(), image_tag(["numpy"]), image_tag(base="other")}) == 3


def test_base_with_another_strategy_is_an_error() -> None:
    with pytest.raises(ValueError, match="wrong strategy with base="):
        build_image(None, base="python:3.12", strategy="host")
