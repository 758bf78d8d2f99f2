"""Inspect the live boxes of this process from the host: their processes, files, containers and control groups."""

from __future__ import annotations

import contextlib
import os
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil

from codegym.sandbox.docker import OWNER, engine, owner
from codegym.sandbox.process import BOX


@dataclass(frozen=True, slots=True)
class LiveBox:
    """A box: its first process, which is the server, and the forker that the server has started."""

    server: psutil.Process
    forker: psutil.Process
    container: str | None

    @property
    def permanent_processes(self) -> list[psutil.Process]:
        """Processes that live as long as the box."""
        return [self.server, self.forker]

    def programs(self) -> list[psutil.Process]:
        """Return the processes of programs, zombies included; an idle box has none."""
        with contextlib.suppress(psutil.NoSuchProcess):
            return [child for child in self.server.children(recursive=True) if child != self.forker]
        return []


def containers() -> dict[str, int]:
    """Return the containers of this process, each with the number of its first process, or 0 if it is not running."""
    with engine() as client:
        found = client.containers.list(all=True, filters={"label": f"{OWNER}={owner()}"}, ignore_removed=True)
        return {container.id: _pid(client, container.id) for container in found}


def _pid(client: object, identity: str) -> int:
    try:
        return int(client.api.inspect_container(identity)["State"]["Pid"])  # type: ignore[attr-defined]
    except Exception:  # it is gone
        return 0


def live_boxes(backend: str) -> list[LiveBox]:
    """Return every running box.

    Args:
        backend: Name of the back end.
    """
    if backend == "docker":
        firsts: dict[int, str | None] = {pid: identity for identity, pid in containers().items() if pid}
    else:
        firsts = {pid: None for pid in _first_processes()}
    boxes = []
    for pid, container in firsts.items():
        with contextlib.suppress(psutil.NoSuchProcess):
            server = psutil.Process(pid)
            if started := server.children():
                boxes.append(LiveBox(server, started[0], container))
    return boxes


def _first_processes() -> Iterator[int]:
    """Yield the server of each process box: the first process of its namespace, or the child if there are none."""
    for started in psutil.Process().children():
        with contextlib.suppress(psutil.NoSuchProcess, OSError):
            if str(BOX) in started.cmdline() and (below := started.children()):
                yield started.pid if _namespace(below[0].pid) == _namespace(os.getpid()) else below[0].pid


def _namespace(pid: int) -> str:
    return os.readlink(f"/proc/{pid}/ns/pid")


def is_zombie(process: psutil.Process) -> bool:
    """Return whether ``process`` has ended without being waited for."""
    with contextlib.suppress(psutil.NoSuchProcess):
        return bool(process.status() == psutil.STATUS_ZOMBIE)
    return False


def all_boxes(backend: str, count: int, seconds: float = 30.0) -> list[LiveBox]:
    """Return every box as soon as ``count`` are running; one may be being replaced.

    Args:
        backend: Name of the back end.
        count: Number of boxes to wait for.
        seconds: Time limit; fewer boxes are returned after it.
    """
    deadline = time.monotonic() + seconds
    while len(boxes := live_boxes(backend)) < count and time.monotonic() < deadline:
        time.sleep(0.05)
    return boxes


def wait_until_idle(boxes: list[LiveBox], seconds: float = 2.0) -> None:
    """Wait until the boxes have cleaned up after the last program, at most for a time.

    Args:
        boxes: The boxes.
        seconds: Time limit. Whatever is present after it will remain.
    """
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline and (
        any(box.programs() or files_inside(box.server) for box in boxes) or stray_processes(boxes)
    ):
        time.sleep(0.01)


def stray_processes(boxes: list[LiveBox]) -> list[psutil.Process]:
    """Return the descendants of this process that none of ``boxes`` needs."""
    needed = {pid for box in boxes for process in box.permanent_processes for pid in (process.pid, process.ppid())}
    return [process for process in psutil.Process().children(recursive=True) if process.pid not in needed]


def files_inside(process: psutil.Process) -> int:
    """Return the number of entries in the writable folders of a box, seen through the root of ``process``."""
    found = 0
    for folder in ("tmp", "dev/shm", "dev/mqueue"):
        with contextlib.suppress(OSError):
            found += len(os.listdir(f"/proc/{process.pid}/root/{folder}"))
    return found


def control_groups() -> int:
    """Return the number of control groups that this process has made."""
    return sum(len([*Path(top).glob(f"codegym-{os.getpid()}-*")]) for top in _group_tops())


def _group_tops() -> list[str]:
    return [f"/sys/fs/cgroup/{name}" for name in ("", "memory", "pids")]


@contextlib.contextmanager
def own_temp_folder() -> Iterator[Path]:
    """Use a temporary folder of our own for everything made inside, so that all of its files are leftovers of ours."""
    before = tempfile.tempdir
    with tempfile.TemporaryDirectory(prefix="codegym-benchmark-") as folder:
        os.chmod(folder, 0o755)
        tempfile.tempdir = folder
        try:
            yield Path(folder)
        finally:
            tempfile.tempdir = before


def leftovers(folder: Path, backend: str) -> dict[str, int]:
    """Return counts that must all be 0 after a sandbox is closed.

    Args:
        folder: Temporary folder of the run.
        backend: Name of the back end.
    """
    children = psutil.Process().children(recursive=True)
    return {
        "processes": len(children),
        "zombies": sum(map(is_zombie, children)),
        "containers": len(containers()) if backend == "docker" else 0,
        "files": len(os.listdir(folder)),
        "control groups": control_groups(),
    }
