"""Image of the Docker sandbox, and how it is made.

An image is a *base*, which holds a Python interpreter, plus two folders: ``BOX_PATH`` (the program that runs in
the box) and ``PACKAGES_PATH`` (packages that judged programs may import beyond the standard library). The last step
needs neither network nor registry, so a change in the box costs a second. Three strategies make the base:

    registry     a public Python image, pulled by the engine
    host         the interpreter, standard library and shared libraries of this host
    debootstrap  a minimal Debian or Ubuntu; needs root and a package mirror

The box starts without ``site`` (``python -S``) and therefore puts ``PACKAGES_PATH`` on ``sys.path`` by itself.

Not covered: shared libraries outside the manylinux promise, for packages that are compiled from source on the
host; images for a Python version other than the host's, except through ``base``.
"""

from __future__ import annotations

import compileall
import hashlib
import json
import logging
import os
import platform
import py_compile
import shutil
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Literal

import docker
import docker.errors

from codegym.errors import SandboxError, SandboxUnavailable
from codegym.sandbox.rootfs import host_interpreter, link, stage_host_root

BOX_PATH = "/codegym_box"
"""Folder of the box program in the image."""
PACKAGES_PATH = "/codegym_packages"
"""Folder of the packages in the image."""
LABEL = "codegym.sandbox"
"""Label with the value "1" on every image that is made here; the label ``codegym.tag`` holds its tag."""

Strategy = Literal["auto", "registry", "host", "debootstrap"]
Progress = Callable[[str], None]

_REPOSITORY, _BASE_REPOSITORY = "codegym-sandbox", "codegym-python"
_FORMAT = 1  # raise it when what is built from the same inputs changes
_PYTHON = f"{sys.version_info.major}.{sys.version_info.minor}"
_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_PROBE_SECONDS = 15
_SILENCE_SECONDS = 600
_COMPILE_ALL = "import compileall, sysconfig; compileall.compile_dir(sysconfig.get_path('stdlib'), quiet=2)"
_TRIAL = f"""
import os, sys
assert os.listdir({BOX_PATH!r}) and os.access({PACKAGES_PATH!r}, os.R_OK | os.X_OK)
assert os.system("exit 0") == 0, "no shell"
print("%d.%d" % sys.version_info[:2])
"""

_log = logging.getLogger(__name__)


def image_tag(packages: Sequence[str] = (), base: str | None = None) -> str:
    """Return the name of the image with this box and this Python version, ``codegym-sandbox:<12 hex>``.

    Args:
        packages: Packages that programs may import.
        base: Image with a Python to start from; by default the one that the strategies make.
    """
    box = [(file.name, file.read_text(encoding="utf-8")) for file in _box_files()]
    return f"{_REPOSITORY}:{_digest(box, sorted(packages), base)}"


def ensure_image(client: docker.DockerClient, packages: Sequence[str] = ()) -> str:
    """Build the image if the engine does not have it yet; return its tag.

    Args:
        client: Client of the engine that needs the image.
        packages: Packages that programs may import.
    """
    tag = image_tag(packages)
    return tag if _exists(client, tag) else build_image(client, packages=packages)


def build_image(
    client: docker.DockerClient,
    *,
    base: str | None = None,
    packages: Sequence[str] = (),
    strategy: Strategy = "auto",
    progress: Progress = _log.info,
) -> str:
    """Build the sandbox image and try it once, as an unprivileged user without network.

    Args:
        client: Client of the engine that gets the image.
        base: Image with a Python to start from; implies the strategy "registry".
        packages: Requirements, as pip reads them, that judged programs may import.
        strategy: One of the three above, or "auto" for the first of them that works.
        progress: Function that is called with a message about each step.

    Returns:
        The tag of the image.

    Raises:
        SandboxUnavailable: No strategy worked; the message has the reason of each that was tried.
        ValueError: ``base`` together with a strategy that does not use it.
    """
    if base is not None and strategy not in ("auto", "registry"):
        raise ValueError(f"wrong strategy with base={base!r}: got {strategy!r}; expected 'registry' or 'auto'")
    names = list(_STRATEGIES) if strategy == "auto" and base is None else ["registry" if base else strategy]
    tag = image_tag(packages, base)
    if packages:
        progress(f"packages: {', '.join(packages)}")
    reasons = []
    for name in names:
        try:
            _build(client, name, base, packages, tag, progress)
            return tag
        except (SandboxUnavailable, docker.errors.DockerException, OSError) as error:
            text = " ".join(str(getattr(error, "explanation", None) or error).split())
            reasons.append(f"  {name}: {text}")
            progress(f"strategy {name} does not work here: {text}")
    raise SandboxUnavailable("no strategy made a sandbox image:\n" + "\n".join(reasons))


def remove_images(client: docker.DockerClient) -> list[str]:
    """Remove every image that was made here, bases included; return the names of the removed ones.

    Args:
        client: Client of the engine.

    Raises:
        SandboxError: A container uses one of the images; the others are removed.
    """
    removed, in_use = [], []
    images = client.images.list(filters={"label": f"{LABEL}=1"})
    # The newest first: a base cannot be removed before the images on top of it.
    for image in sorted(images, key=lambda image: str(image.attrs["Created"]), reverse=True):
        name = (image.tags or [image.short_id])[0]
        try:
            client.images.remove(image.id, force=True)
        except docker.errors.ImageNotFound:
            pass  # removed together with an image on top of it
        except docker.errors.APIError as error:
            in_use.append(f"{name}: {error.explanation}")
            continue
        removed.append(name)
    if in_use:
        raise SandboxError("not removed: " + "; ".join(in_use))
    return removed


def remove_nameless_images(client: docker.DockerClient) -> list[str]:
    """Remove images whose name a newer build has taken, unless a container uses them; return their short ids.

    Args:
        client: Client of the engine.
    """
    removed = []
    for old in client.images.list(filters={"label": f"{LABEL}=1", "dangling": True}):
        with suppress(docker.errors.APIError):
            client.images.remove(old.id, force=True)
            removed.append(old.short_id)
    return removed


# ---- strategies: each returns the name of an image with a Python, or raises the reason why it cannot


def _from_registry(client: docker.DockerClient, base: str | None, progress: Progress) -> str:
    name = base or f"python:{_PYTHON}-slim"
    if not _exists(client, name):
        with _timeout(client, _PROBE_SECONDS):  # a registry that drops packets would block for minutes
            client.api.inspect_distribution(name)
        progress(f"pulling {name}")
        with _timeout(client, _SILENCE_SECONDS):
            client.images.pull(name)
    return name


def _from_host(client: docker.DockerClient, base: str | None, progress: Progress) -> str:
    tag = f"{_BASE_REPOSITORY}:host-{_digest(str(host_interpreter()), sys.version)}"
    if not _exists(client, tag):
        _require_own_platform(client)
        progress(f"copying {host_interpreter()} with its libraries")
        with tempfile.TemporaryDirectory(prefix="codegym-root-") as folder:
            stage_host_root(Path(folder))
            _import(client, Path(folder), tag)
    return tag


def _from_debootstrap(client: docker.DockerClient, base: str | None, progress: Progress) -> str:
    program = shutil.which("debootstrap", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")
    if sys.platform != "linux" or not program or os.geteuid() != 0:
        raise SandboxUnavailable("needs root and the program debootstrap")
    suite = platform.freedesktop_os_release().get("VERSION_CODENAME", "stable")
    tag = f"{_BASE_REPOSITORY}:debootstrap-{_digest(suite)}"
    if not _exists(client, tag):
        _require_own_platform(client)
        progress(f"debootstrap of {suite}, some minutes")
        with tempfile.TemporaryDirectory(prefix="codegym-root-") as folder:
            _run([program, "--variant=minbase", "--include=python3", suite, folder])
            for unused in ("var/cache/apt", "var/lib/apt", "usr/share/doc", "usr/share/man", "usr/share/locale"):
                shutil.rmtree(Path(folder, unused), ignore_errors=True)
            link(Path(folder), "/usr/bin/python3", "/usr/local/bin/python")
            _import(client, Path(folder), tag)
    return tag


_STRATEGIES = {"registry": _from_registry, "host": _from_host, "debootstrap": _from_debootstrap}


def _require_own_platform(client: docker.DockerClient) -> None:
    engine = client.info()
    theirs, ours = f"{engine['OSType']}/{engine['Architecture']}", f"{sys.platform}/{platform.machine()}"
    if theirs != ours:
        raise SandboxUnavailable(f"the engine runs {theirs}, this host is {ours}")


# ---- from a base to the image


def _build(
    client: docker.DockerClient, strategy: str, base: str | None, packages: Sequence[str], tag: str, progress: Progress
) -> None:
    started = time.monotonic()
    source = _STRATEGIES[strategy](client, base, progress)
    # If the engine reached a registry, pip runs in the engine too: the platform of the host may need other wheels.
    image = _assemble(client, source, packages, tag, pip_inside=strategy == "registry")
    _accept(client, image, source, any_version=base is not None)
    image.tag(tag)
    size = image.attrs["Size"] / 1e6
    progress(f"{tag}: {size:.0f} MB by strategy {strategy} in {time.monotonic() - started:.1f} s")


def _assemble(
    client: docker.DockerClient, source: str, packages: Sequence[str], tag: str, pip_inside: bool
) -> docker.models.images.Image:
    """Add packages and box to the base ``source``; the image has no name yet."""
    with tempfile.TemporaryDirectory(prefix="codegym-image-") as folder:
        context = Path(folder)
        _stage_box(context / "box")
        (context / "packages").mkdir()
        if packages and not pip_inside:
            _run([sys.executable, "-m", "pip", "install", "--target", str(context / "packages"), *packages])
        (context / "Dockerfile").write_text(_dockerfile(source, packages if pip_inside else ()), encoding="utf-8")
        with _tar(context) as archive:
            image, _ = client.images.build(
                fileobj=archive,
                custom_context=True,
                rm=True,
                forcerm=True,
                timeout=_SILENCE_SECONDS,
                network_mode="default" if packages and pip_inside else "none",
                labels={LABEL: "1", "codegym.tag": tag},
            )
    return image


def _dockerfile(base: str, packages: Sequence[str]) -> str:
    lines = [f"FROM {base}"]
    if packages:
        pip = ["python3", "-m", "pip", "install", "--no-cache-dir", "--target", PACKAGES_PATH, *packages]
        lines.append(f"RUN {json.dumps(pip)}")
    if not base.startswith(_BASE_REPOSITORY):
        # Public images have no .pyc files; on a read-only root every process would compile again.
        lines.append(f"RUN {json.dumps(['python3', '-c', _COMPILE_ALL])}")
    lines += [
        f"COPY packages {PACKAGES_PATH}",
        f"COPY box {BOX_PATH}",
        f"ENV PATH={_PATH} LANG=C.UTF-8",
    ]
    return "\n".join(lines) + "\n"


def _accept(client: docker.DockerClient, image: docker.models.images.Image, source: str, any_version: bool) -> None:
    """Run a few lines in ``image`` as the box would; if that fails, remove it and its base."""
    trial = ["python", "-I", "-S", "-c", _TRIAL]
    try:
        output = client.containers.run(
            image.id, trial, remove=True, network_mode="none", read_only=True, user="12345:12345", cap_drop=["ALL"]
        )
        version = output.decode().strip()
        if version != _PYTHON and not any_version:
            raise SandboxUnavailable(f"wrong Python in the image: got {version}; expected {_PYTHON}, as on this host")
    except Exception:
        client.images.remove(image.id, force=True)
        if source.startswith(_BASE_REPOSITORY):  # otherwise the next call would use it, by its name
            client.images.remove(source, force=True)
        raise


def _box_files() -> list[Path]:
    folder = Path(__file__).with_name("box")
    files = sorted(folder.glob("*.py"))
    if not files:
        raise SandboxUnavailable(f"no box in {folder}: codegym was installed without its package data")
    return files


def _stage_box(folder: Path) -> None:
    folder.mkdir()
    for file in _box_files():
        shutil.copy(file, folder)
    # No time stamps and no temporary paths: equal sources give equal bytes, so the engine's build cache works.
    unchecked = py_compile.PycInvalidationMode.UNCHECKED_HASH
    compileall.compile_dir(folder, ddir=BOX_PATH, quiet=2, invalidation_mode=unchecked)


def _import(client: docker.DockerClient, root: Path, tag: str) -> None:
    repository, _, version = tag.partition(":")
    changes = [f"LABEL {LABEL}=1 codegym.tag={tag}", f"ENV PATH={_PATH}"]
    with _tar(root) as archive:
        client.api.import_image_from_file(archive.name, repository=repository, tag=version, changes=changes)


@contextmanager
def _tar(folder: Path) -> Iterator[IO[bytes]]:
    """Pack ``folder`` in a fixed order, owned by root and readable by all, into a temporary file."""
    with tempfile.NamedTemporaryFile(prefix="codegym-image-", suffix=".tar") as file:
        with tarfile.open(fileobj=file, mode="w") as archive:
            archive.add(folder, arcname=".", filter=_public)
        file.seek(0)
        yield file


def _public(entry: tarfile.TarInfo) -> tarfile.TarInfo | None:
    """Make an entry readable for the unprivileged user of the box; leave out devices and set-uid bits."""
    if not (entry.isdir() or entry.isfile() or entry.issym() or entry.islnk()):
        return None
    executable = entry.isdir() or entry.mode & 0o100
    entry.mode = 0o1777 if entry.name == "./tmp" else 0o755 if executable else 0o644
    entry.uid = entry.gid = 0
    entry.uname = entry.gname = ""
    return entry


# ---- helpers


def _digest(*parts: object) -> str:
    return hashlib.sha256(json.dumps([_FORMAT, _PYTHON, *parts]).encode()).hexdigest()[:12]


def _exists(client: docker.DockerClient, name: str) -> bool:
    try:
        client.images.get(name)
    except docker.errors.ImageNotFound:
        return False
    return True


@contextmanager
def _timeout(client: docker.DockerClient, seconds: int) -> Iterator[None]:
    """Let the client wait ``seconds`` for an answer; most of its methods take no time limit of their own."""
    before, client.api.timeout = client.api.timeout, seconds
    try:
        yield
    finally:
        client.api.timeout = before


def _run(command: list[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        last = (done.stderr or done.stdout).strip()[-500:]
        raise SandboxUnavailable(f"{Path(command[0]).name} ended with {done.returncode}: {last}")
