"""The process back end: boxes made of the host's own namespaces, without a container engine."""

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
from typing import IO

from codegym.errors import SandboxError, SandboxUnavailable
from codegym.sandbox.base import Limits
from codegym.sandbox.cgroup import ControlGroup
from codegym.sandbox.connection import Box
from codegym.sandbox.pool import Pool

BOX = Path(__file__).parent / "box"
BOX_INSIDE = "/codegym_box"
"""Where a box that has a root of its own finds itself."""
LEVELS = ("root", "user", "plain")
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
"""What programs import most, loaded once in the forker; every page of it makes each fork a little dearer."""
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
"""All that a program finds in its environment; a fixed hash seed and time zone make runs repeatable."""
START_ENVIRONMENT = ENVIRONMENT | {"LD_BIND_NOW": "1"}
"""What a box starts with: libraries look up their functions at once, not every fork those that it is first to call."""
CAPABILITIES = ("SETUID", "SETGID", "KILL", "DAC_OVERRIDE", "FOWNER")
"""What a forker keeps where it may: to change to the programs' user, to end their processes, to delete their files."""
FLAGS = ("-s", "-S", "-P", "-X", "utf8")


def random_uid() -> int:
    """A user for programs and, one above, for the server; each box its own, since processes are counted by user."""
    return random.SystemRandom().randrange(20_000, 60_000, 2)


class ProcessSandbox(Pool):
    """Runs programs in boxes made of namespaces, as strong as this host allows; ``level`` says which came of it.

    Covered, at level "root" (needs root) and "user" (needs user namespaces): no network; no process of the host in
    sight; a read-only view of the system programs and the Python installation without its installed packages; a
    private /tmp and /dev/shm of limited size, emptied after each program; no capabilities, no privilege gain, a
    system call filter (no ptrace, no IPC that outlives a process, no namespaces, no mounts, no io_uring or BPF);
    limits on CPU time, wall time, memory of the process tree, processes, file size and output. At "root" each box
    also has a user of its own for programs and another for the server, and a control group for memory where
    control groups can be written; at "user" each program has a process namespace of its own.

    Not covered: faults of the kernel itself, which is shared with the host; timing and cache side channels; at
    "user" the memory of the tree is sampled every 50 ms where no control group can be made, and a program, being
    process 1 of its namespace, does not die of signals that it sends to itself without a handler. At "plain" (neither
    root nor user namespaces) programs see the host's files and processes with the caller's rights and can kill the
    server, which costs a verdict but never forges one: use it for programs you wrote yourself.

    Args:
        limits: the most that a request may ask for.
        num_workers: boxes; by default one for each core.
        level: "root", "user" or "plain"; by default the strongest that works.
        packages: importable packages of this interpreter that programs may use too.
        preload: modules that are loaded before programs run, so that importing them costs nothing.
        recycle_after: programs after which a box is replaced.

    Raises:
        SandboxUnavailable: no level works here; the message says why for each.
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
    """Remove what processes of ours left behind that were killed: empty folders and control groups."""
    for folder in [*Path(tempfile.gettempdir()).glob("codegym-*-*"), *ControlGroup.leftovers()]:
        pid = folder.name.split("-")[1]
        if pid.isdigit() and not os.path.exists(f"/proc/{pid}"):
            with suppress(OSError):
                folder.rmdir()


def strongest_level() -> str:
    """The first level at which a box starts on this host.

    Raises:
        SandboxUnavailable: none does.
    """
    reasons = []
    for level in LEVELS:
        reason = unavailable_reason(level)
        if reason is None:
            return level
        reasons.append(f"{level}: {reason}")
    raise SandboxUnavailable("no process sandbox can be made on this host; " + "; ".join(reasons))


def unavailable_reason(level: str) -> str | None:
    """What keeps a level from working here, or None where it works: a box is started and probed."""
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
    """What a box leaves on the host, and its removal."""

    process: subprocess.Popen[bytes]
    root: str
    group: ControlGroup | None
    log: IO[bytes]

    def log_tail(self) -> str:
        """What the box wrote before it died."""
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
    """Leave the byte code of the box beside it: no box writes it, and compiling takes pages that every fork gets."""
    compileall.compile_dir(BOX, quiet=2)


def start_box(level: str, limits: Limits, preload: tuple[str, ...], packages: tuple[str, ...]) -> Box:
    """Start one box at a level; it is not probed yet."""
    _compile_box()
    shown = [(path, f"/codegym_packages/{path.name}") for name in packages for path in _package_paths(name)]
    root = tempfile.mkdtemp(prefix=f"codegym-{os.getpid()}-")
    group = ControlGroup.create(limits)  # None where it may not
    host_end, box_end = socket.socketpair()
    writable = [root] if level == "plain" else ["/tmp", "/dev/shm"]
    settings = {
        "level": level,
        "python": os.path.realpath(sys.executable),
        "user_namespace": level == "user",
        "uid": random_uid() if level == "root" else None,
        "capabilities": CAPABILITIES,
        "root": root,
        "temp_mb": limits.temp_mb,
        "descriptor": box_end.fileno(),
        "box": str(BOX) if level == "plain" else BOX_INSIDE,
        "show": [(str(source), target) for source, target in [(BOX, BOX_INSIDE), *shown]],
        "paths": ["/codegym_packages"] if packages else [],
        "writable": writable,
        "preload": preload,
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
    except (OSError, subprocess.SubprocessError) as error:  # no process to be had, or not in the control group
        for opened in (host_end, log):
            opened.close()
        _remove_traces(root, group)
        raise SandboxError(f"a box could not be started: {error}") from error
    finally:
        box_end.close()
    box_process = _BoxProcess(process, root, group, log)
    return Box(host_end, box_process.remove, box_process.log_tail)


def _package_paths(name: str) -> list[Path]:
    """Where an installed package lies, with the folder of its shared libraries beside it."""
    spec = importlib.util.find_spec(name)
    if spec is None or spec.origin is None:
        raise SandboxUnavailable(f"package {name!r} is not installed in {sys.prefix}, so programs cannot have it")
    path = Path(spec.origin).parent if spec.submodule_search_locations else Path(spec.origin)
    libraries = path.with_name(f"{name}.libs")
    return [path, libraries] if libraries.exists() else [path]
