"""Root file system made of this host's own Python: interpreter, standard library, shared libraries, a shell.

It is for machines that reach no registry (``codegym.sandbox.image``). Every file keeps its path, because an interpreter
finds its home, and the ELF loader its libraries, by paths that are compiled in.

Not covered: name services (``pwd`` and ``grp`` know only the users 0 and 65534), locales other than C.UTF-8.
"""

from __future__ import annotations

import compileall
import os
import re
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Iterable
from pathlib import Path

from codegym.errors import SandboxUnavailable

# Tests, GUIs, build files and other people's packages: most of an installation, of no use to a judged program.
_LEFT_OUT = (
    *("test", "tests", "idlelib", "tkinter", "turtledemo", "ensurepip", "site-packages", "dist-packages", "config-*"),
    *("_tkinter*.so", "_test*.so", "_ctypes_test*.so", "xxlimited*.so", "*.opt-?.pyc"),
)
# No ELF header of the interpreter leads to these: threads open the first by name, and manylinux wheels count on all.
_PROMISED = ("libgcc_s.so.1", "libstdc++.so.6", "libpthread.so.0", "libdl.so.2", "librt.so.1", "libutil.so.1")
_DATA_FOLDERS = ("/usr/share/zoneinfo", "/usr/lib/locale/C.utf8")
_DATA_LEFT_OUT = ("right", "posix", "localtime")  # the first two are the time zones again, twice
_PASSWD = "root:x:0:0::/:/bin/sh\nnobody:x:65534:65534::/:/bin/sh\n"
_GROUP = "root:x:0:\nnogroup:x:65534:\n"


def host_interpreter() -> Path:
    """Return the interpreter behind a virtual environment."""
    return Path(os.path.realpath(getattr(sys, "_base_executable", sys.executable)))


def stage_host_root(root: Path) -> None:
    """Fill the empty folder ``root`` with a root file system.

    Raises:
        SandboxUnavailable: The host lacks something that is needed.
    """
    if sys.platform != "linux" or not shutil.which("ldd"):
        raise SandboxUnavailable("needs a Linux host with the program ldd")
    shell = shutil.which("sh", path="/bin:/usr/bin")
    if shell is None:
        raise SandboxUnavailable("this host has no sh")
    extensions = _stage_python(root)
    _copy(root, Path(shell), "/bin/sh")
    _stage_libraries(root, [host_interpreter(), Path(shell), *extensions])
    for folder in map(Path, _DATA_FOLDERS):
        if folder.is_dir():
            _copy_folder(root, folder, _DATA_LEFT_OUT)
    for name in ("dev", "proc", "sys", "tmp", "etc"):
        (root / name).mkdir(exist_ok=True)
    (root / "etc/passwd").write_text(_PASSWD, encoding="ascii")
    (root / "etc/group").write_text(_GROUP, encoding="ascii")


def link(root: Path, target: str, path: str) -> None:
    """Make a symbolic link in the new root, unless its path exists already.

    Args:
        root: Folder of the new root.
        target: Path that the link leads to, within the new root.
        path: Path of the link, within the new root.
    """
    place = _inside(root, path)
    if not os.path.lexists(place):
        place.parent.mkdir(parents=True, exist_ok=True)
        place.symlink_to(target)


def _stage_python(root: Path) -> list[Path]:
    """Copy interpreter and standard library; return the extension modules."""
    interpreter, library = host_interpreter(), Path(sysconfig.get_path("stdlib"))
    _copy(root, interpreter)
    _copy_folder(root, library, _LEFT_OUT)
    # The box has a read-only root, so every module that lacks an up-to-date .pyc file gets one now.
    compileall.compile_dir(_inside(root, library), quiet=2)
    for name in ("bin/python3", "local/bin/python3", "local/bin/python"):
        link(root, str(interpreter), f"/usr/{name}")
    link(root, str(interpreter), f"{sys.base_prefix}/bin/python3")
    return sorted(library / file.relative_to(_inside(root, library)) for file in _inside(root, library).rglob("*.so"))


def _stage_libraries(root: Path, files: Iterable[Path]) -> None:
    """Copy the ELF loader and all shared libraries that ``files`` need, as the loader of this host finds them."""
    # ldd ends with an error if one of the files needs no library; that is harmless.
    answer = subprocess.run(["ldd", *map(str, files)], capture_output=True, text=True, check=False).stdout
    libraries = {Path(path) for path in re.findall(r"^\s+(?:\S+ => )?(/\S+) \(0x", answer, re.MULTILINE)}
    libraries |= {folder / name for folder in {path.parent for path in libraries} for name in _PROMISED}
    # The cache lists folders that the loader would not search by itself.
    for file in sorted(libraries | {Path("/etc/ld.so.cache")}):
        if file.exists():
            _copy(root, file)


def _inside(root: Path, path: Path | str) -> Path:
    return root / str(path).lstrip("/")


def _copy(root: Path, source: Path, target: str = "") -> None:
    """Copy a file, links resolved, to the same path under ``root`` or to ``target``."""
    destination = _inside(root, target or source)
    destination.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy2(source, destination)


def _copy_folder(root: Path, source: Path, left_out: tuple[str, ...]) -> None:
    ignore = shutil.ignore_patterns(*left_out)
    shutil.copytree(source, _inside(root, source), ignore=ignore, ignore_dangling_symlinks=True, dirs_exist_ok=True)
