"""Process back end: boxes made of the host's own namespaces, without a container engine."""

from __future__ import annotations

import compileall
import functools
import importlib.util
import json
import os
import random
import shutil
import socket
import subprocess
import sys
import tempfile
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from codegym.errors import SandboxError, SandboxUnavailable
from codegym.sandbox.base import Limits
from codegym.sandbox.cgroup import ControlGroup
from codegym.sandbox.connection import Box
from codegym.sandbox.pool import Pool

BOX = Path(__file__).parent / "box"
"""Folder of the program that runs in a box."""
BOX_INSIDE = "/codegym_box"
"""Path of that folder in a box with its own root."""
LEVELS = ("root", "user", "plain")
"""Levels of isolation, the strongest first."""
PRELOAD = (
    "typing",
    "collections",
    "math",
    "re",
    "itertools",
    "functools",
    "heapq",
    "bisect",
    "string",
    "random",
)
"""Modules that programs import most, loaded once in the forker; every page of them makes each fork a bit slower."""
ENVIRONMENT = {
    "PATH": "/usr/local/bin:/usr/bin:/bin",
    "HOME": "/tmp",
    "LANG": "C.UTF-8",
    "TZ": "UTC",
    "PYTHONHASHSEED": "0",
    "PYTHONDONTWRITEBYTECODE": "1",
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
}
"""Environment variables of a program; a fixed hash seed and time zone make runs repeatable."""
START_ENVIRONMENT = ENVIRONMENT | {"LD_BIND_NOW": "1"}
"""Environment variables of a box: libraries resolve their functions at once instead of in every fork."""
CAPABILITIES = ("SETUID", "SETGID", "KILL", "DAC_OVERRIDE", "FOWNER")
"""Capabilities that a forker keeps: to change to the programs' user, end their processes, and delete their files."""
FLAGS = ("-s", "-S", "-P", "-X", "utf8")
"""Options of the interpreters in a box."""


def random_uid() -> int:
    """Return a user id for programs; the next is for the server. Boxes differ, because the kernel counts by user."""
    return random.SystemRandom().randrange(20_000, 60_000, 2)


class ProcessSandbox(Pool):
    """Runs programs in boxes made of Linux namespaces, at the strongest level of isolation that this host allows.

    *Covered* at the levels "root" (needs root) and "user" (needs user namespaces):

    - There is no network, and no process of the host is visible.
    - System programs and the Python installation are read-only, without its installed packages.
    - /tmp and /dev/shm are private, of limited size, and emptied after each program.
    - Programs have no capabilities and cannot gain privileges. A system call filter forbids ptrace, IPC that outlives
      a process, namespaces, mounts, io_uring and BPF.
    - CPU time, wall time, memory of the process tree, processes, file size and output are limited.
    - At "root", each box has one user for programs, another for the server, and a control group for memory if control
      groups can be written. At "user", each program has a process namespace of its own.

    *Not covered*:

    - Faults of the kernel, which is shared with the host.
    - Timing and cache side channels.
    - At "user", the memory of the process tree is sampled every 50 ms if no control group can be made. A program is
      process 1 of its namespace, so signals that it sends to itself without a handler do not end it.
    - At "plain" (neither root nor user namespaces), programs see the host's files and processes with the caller's
      rights. They can kill the server, which costs a verdict but never forges one. Use this level only for programs
      that you wrote yourself.

    Args:
        limits: Largest limits that a request may ask for.
        num_workers: Number of boxes; by default one for each core.
        level: Level of isolation, "root", "user" or "plain"; by default the strongest that works.
        packages: Importable packages of this interpreter that programs may use too.
        preload: Modules that are loaded before programs run, so that importing them costs no time.
        recycle_after: Number of programs after which a box is replaced.

    Raises:
        SandboxUnavailable: No level works here; the message has the reason for each of them.
    """

    def __init__(
        self,
        limits: Limits = Limits(),  # noqa: B008 - a frozen record
        num_workers: int | None = None,
        *,
        level: str | None = None,
        packages: tuple[str, ...] = (),
        preload: tuple[str, ...] = (),
        recycle_after: int = 10_000,
    ) -> None:
        self._packages = packages
        self._preload = (*PRELOAD, *preload)
        self._limits = limits
        sweep()
        self.level = level or strongest_level()
        super().__init__(self._start_box, num_workers or os.cpu_count() or 1, limits, recycle_after)

    @staticmethod
    def check_available() -> None:
        """Raise if this host is not Linux; whether a level works is known when a sandbox is opened.

        Raises:
            SandboxUnavailable: The host is not Linux.
        """
        if not sys.platform.startswith("linux"):
            raise SandboxUnavailable(f"no process sandbox on this host: got {sys.platform}; expected Linux")

    def _start_box(self) -> Box:
        return start_box(self.level, self._limits, self._preload, self._packages)


def sweep() -> None:
    """Remove empty folders and control groups of codegym processes that were killed."""
    for folder in [*Path(tempfile.gettempdir()).glob("codegym-*-*"), *ControlGroup.leftovers()]:
        pid = folder.name.split("-")[1]
        if pid.isdigit() and not os.path.exists(f"/proc/{pid}"):
            with suppress(OSError):
                folder.rmdir()


def strongest_level() -> str:
    """Return the first level at which a box starts on this host.

    Raises:
        SandboxUnavailable: No box starts at any level.
    """
    reasons = []
    for level in LEVELS:
        reason = unavailable_reason(level)
        if reason is None:
            return level
        reasons.append(f"{level}: {reason}")
    raise SandboxUnavailable("no process sandbox can be made on this host; " + "; ".join(reasons))


def unavailable_reason(level: str) -> str | None:
    """Start and probe a box at a ``level``; return the reason why it does not work, None if it does."""
    if not sys.platform.startswith("linux"):
        return f"needs Linux, this is {sys.platform}"
    if level == "root" and os.geteuid() != 0:
        return "needs root"
    try:
        box = start_box(level, Limits(), (), ())
    except (OSError, SandboxError) as error:
        return str(error)
    try:
        box.probe("probe")
        return None
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    finally:
        box.close()


@dataclass
class _BoxProcess:
    """Resources of a box on the host, and their removal."""

    process: subprocess.Popen[bytes]
    root: str
    group: ControlGroup | None
    log: IO[bytes]

    def log_tail(self) -> str:
        """Return the end of the box's log."""
        self.log.seek(max(0, self.log.seek(0, os.SEEK_END) - 2000))
        return self.log.read().decode(errors="replace").strip()

    def remove(self) -> None:
        self.process.kill()
        self.process.wait()
        self.log.close()
        _remove_traces(self.root, self.group)


def _remove_traces(root: str, group: ControlGroup | None) -> None:
    if group is not None:
        group.remove()
    shutil.rmtree(root, ignore_errors=True)


@functools.cache
def _compile_box() -> None:
    """Write the byte code of the box beside it: boxes cannot, and compiling takes memory pages that every fork gets."""
    compileall.compile_dir(BOX, quiet=2)


def start_box(level: str, limits: Limits, preload: tuple[str, ...], packages: tuple[str, ...]) -> Box:
    """Start one box without probing it.

    Args:
        level: Level of isolation.
        limits: Largest limits of its programs.
        preload: Modules that are loaded before programs run.
        packages: Installed packages that programs may import.

    Raises:
        SandboxError: No process can be had, or it cannot enter its control group.
        SandboxUnavailable: A package is not installed.
    """
    _compile_box()
    settings = _box_settings(level, limits, preload, packages)
    root = tempfile.mkdtemp(prefix=f"codegym-{os.getpid()}-")
    group = ControlGroup.create(limits)
    host_end, box_end = socket.socketpair()
    settings |= {
        "root": root,
        "descriptor": box_end.fileno(),
        "writable": [root] if level == "plain" else ["/tmp", "/dev/shm"],
        "memory_events": [group.events] if group else [],
    }
    log = tempfile.TemporaryFile()  # noqa: SIM115 - closed with the box
    try:
        process = subprocess.Popen(
            [sys.executable, *FLAGS, str(BOX), json.dumps(settings)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=log,
            pass_fds=(box_end.fileno(),),
            env=START_ENVIRONMENT | ({"TMPDIR": root, "HOME": root} if level == "plain" else {}),
            start_new_session=True,
            preexec_fn=group.enter if group else None,
        )
    except (OSError, subprocess.SubprocessError) as error:
        for opened in (host_end, log):
            opened.close()
        _remove_traces(root, group)
        raise SandboxError(f"a box could not be started: {error}") from error
    finally:
        box_end.close()
    box_process = _BoxProcess(process, root, group, log)
    return Box(host_end, box_process.remove, box_process.log_tail)


def _box_settings(level: str, limits: Limits, preload: tuple[str, ...], packages: tuple[str, ...]) -> dict[str, Any]:
    """Return the settings of a box that do not depend on its resources on the host."""
    shown = [(path, f"/codegym_packages/{path.name}") for name in packages for path in _package_paths(name)]
    return {
        "level": level,
        "python": os.path.realpath(sys.executable),
        "user_namespace": level == "user",
        "uid": random_uid() if level == "root" else None,
        "capabilities": CAPABILITIES,
        "temp_mb": limits.temp_mb,
        "box": str(BOX) if level == "plain" else BOX_INSIDE,
        "show": [(str(source), target) for source, target in [(BOX, BOX_INSIDE), *shown]],
        "paths": ["/codegym_packages"] if packages else [],
        "preload": preload,
    }


def _package_paths(name: str) -> list[Path]:
    """Return the path of an installed package, and of the folder of its shared libraries beside it."""
    spec = importlib.util.find_spec(name)
    if spec is None or spec.origin is None:
        raise SandboxUnavailable(
            f"package not installed in {sys.prefix}: got {name!r}; expected an importable name. Install it for programs"
        )
    path = Path(spec.origin).parent if spec.submodule_search_locations else Path(spec.origin)
    libraries = path.with_name(f"{name}.libs")
    return [path, libraries] if libraries.exists() else [path]
