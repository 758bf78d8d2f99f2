"""A box made of namespaces, for hosts without a container engine; it needs root or user namespaces.

The box has a new root on a temporary file system, into which the host's programs are bound read-only. There is no
network, no process of the host is visible, and there are no installed Python packages, which may contain the answers of
a data set.
"""

from __future__ import annotations

import glob
import os
import signal
import sys
from contextlib import suppress
from typing import Any

from . import confine

MS_RDONLY, MS_NOSUID, MS_NODEV, MS_NOEXEC, MS_REMOUNT = 1, 2, 4, 8, 32
MS_BIND, MS_REC, MS_PRIVATE, MS_NOATIME = 4096, 16384, 1 << 18, 1024
_SYSTEM = ("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32")
_DEVICES = ("null", "zero", "full", "random", "urandom")
_PACKAGES = ("lib/python3*/site-packages", "lib/python3*/dist-packages", "lib/python3/dist-packages")
_FILES = {
    "/etc/passwd": "root:x:0:0:root:/:/bin/sh\n",
    "/etc/group": "root:x:0:\n",
    "/etc/hosts": "127.0.0.1 localhost\n",
    "/etc/nsswitch.conf": "hosts: files\n",
}


def enter(settings: dict[str, Any]) -> None:
    """Continue as process 1 of new namespaces; the calling process waits for it and ends with its status."""
    if settings["user_namespace"]:
        _map_user()
    confine.unshare(
        confine.CLONE_NEWNS | confine.CLONE_NEWPID | confine.CLONE_NEWNET | confine.CLONE_NEWIPC | confine.CLONE_NEWUTS
    )
    pid = os.fork()
    if pid:
        _, status = os.waitpid(pid, 0)
        os._exit(os.waitstatus_to_exitcode(status) & 0x7F)
    confine.prctl(confine.PR_SET_PDEATHSIG, signal.SIGKILL)
    confine.mount("none", "/", flags=MS_REC | MS_PRIVATE)
    _build_root(settings)
    confine.pivot_root(settings["root"])


def _map_user() -> None:
    """Become root of a new user namespace that has only this user."""
    uid, gid = os.getuid(), os.getgid()
    confine.unshare(confine.CLONE_NEWUSER)
    for name, text in (("setgroups", "deny"), ("uid_map", f"0 {uid} 1"), ("gid_map", f"0 {gid} 1")):
        with open(f"/proc/self/{name}", "w") as file:
            file.write(text)


def _build_root(settings: dict[str, Any]) -> None:
    root = settings["root"]
    temporary = f"size={settings['temp_mb']}m,nr_inodes=16384,mode=1777"
    confine.mount("tmpfs", root, "tmpfs", MS_NOSUID, "size=16m,mode=755")
    for path in _SYSTEM:
        _show(path, root + path)
    prefix = os.path.realpath(sys.base_prefix)
    if not prefix.startswith("/usr"):
        _show(prefix, root + prefix)
    for base in {prefix, "/usr", "/usr/local"}:
        for pattern in _PACKAGES:
            for path in glob.glob(os.path.join(root + base, pattern)):
                confine.mount("tmpfs", path, "tmpfs", MS_RDONLY | MS_NOSUID | MS_NODEV, "size=4k,mode=755")
    for source, target in settings["show"]:
        _show(source, root + target)
    _make_devices(root, temporary)
    for path, text in _FILES.items():
        os.makedirs(os.path.dirname(root + path), exist_ok=True)
        with open(root + path, "w") as file:
            file.write(text)
    for directory in ("/tmp", "/proc"):
        os.mkdir(root + directory)
    confine.mount("tmpfs", root + "/tmp", "tmpfs", MS_NOSUID | MS_NODEV, temporary)
    confine.mount("proc", root + "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC)
    confine.mount("none", root, flags=MS_REMOUNT | MS_BIND | MS_RDONLY | MS_NOSUID)


def _show(source: str, target: str) -> None:
    """Make a file or directory of the host visible, read-only; a symbolic link is copied."""
    if os.path.islink(source):
        os.symlink(os.readlink(source), target)
    elif os.path.exists(source):
        os.makedirs(target if os.path.isdir(source) else os.path.dirname(target), mode=0o755, exist_ok=True)
        if not os.path.isdir(source):
            open(target, "w").close()
        confine.mount(source, target, flags=MS_BIND | MS_REC)
        kept = os.statvfs(target).f_flag & (MS_NOSUID | MS_NODEV | MS_NOEXEC | MS_NOATIME)
        confine.mount("none", target, flags=MS_REMOUNT | MS_BIND | MS_RDONLY | MS_NOSUID | kept)


def _make_devices(root: str, temporary: str) -> None:
    os.makedirs(root + "/dev/shm")
    for name in _DEVICES:
        open(f"{root}/dev/{name}", "w").close()
        confine.mount(f"/dev/{name}", f"{root}/dev/{name}", flags=MS_BIND)
    for name, target in (("fd", ""), ("stdin", "/0"), ("stdout", "/1"), ("stderr", "/2")):
        os.symlink(f"/proc/self/fd{target}", f"{root}/dev/{name}")
    confine.mount("tmpfs", root + "/dev/shm", "tmpfs", MS_NOSUID | MS_NODEV, temporary)
    with suppress(OSError):
        os.symlink("/dev/null", f"{root}/dev/tty")
