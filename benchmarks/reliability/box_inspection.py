"""The live boxes of this process as the host sees them: their processes, and what lies around because of them."""

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
    """A box: its first process, which is the server, and the forker that this one has started."""

    server: psutil.Process
    forker: psutil.Process
    container: str | None

    @property
    def permanent_processes(self) -> list[psutil.Process]:
        """The processes that are there as long as the box."""
        return [self.server, self.forker]

    def programs(self) -> list[psutil.Process]:
        """Processes of programs, zombies included; there are none while the box is idle."""
        with contextlib.suppress(psutil.NoSuchProcess):
            return [child for child in self.server.children(recursive=True) if child != self.forker]
        return []


def containers() -> dict[str, int]:
    """Containers of this process, with the number of their first process (0: it is not running)."""
    with engine() as client:
        found = client.containers.list(all=True, filters={"label": f"{OWNER}={owner()}"}, ignore_removed=True)
        return {container.id: _pid(client, container.id) for container in found}


def _pid(client: object, identity: str) -> int:
    try:
        return int(client.api.inspect_container(identity)["State"]["Pid"])  # type: ignore[attr-defined]
    except Exception:  # it is gone
        return 0


def live_boxes(backend: str) -> list[LiveBox]:
    """Every box that is up."""
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
    """Servers of process boxes: the first processes of their namespaces, or what was started where there are none."""
    for started in psutil.Process().children():
        with contextlib.suppress(psutil.NoSuchProcess, OSError):
            if str(BOX) in started.cmdline() and (below := started.children()):
                yield started.pid if _namespace(below[0].pid) == _namespace(os.getpid()) else below[0].pid


def _namespace(pid: int) -> str:
    return os.readlink(f"/proc/{pid}/ns/pid")


def is_zombie(process: psutil.Process) -> bool:
    """A process that has ended and that nobody has waited for."""
    with contextlib.suppress(psutil.NoSuchProcess):
        return bool(process.status() == psutil.STATUS_ZOMBIE)
    return False


def all_boxes(backend: str, count: int, seconds: float = 30.0) -> list[LiveBox]:
    """Every box, once there are ``count``: one may just be replaced. Fewer where they do not come in time."""
    deadline = time.monotonic() + seconds
    while len(boxes := live_boxes(backend)) < count and time.monotonic() < deadline:
        time.sleep(0.05)
    return boxes


def wait_until_idle(boxes: list[LiveBox], seconds: float = 2.0) -> None:
    """Give boxes time to clean up after the last answer; what is there after it stays there."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline and (
        any(box.programs() or files_inside(box.server) for box in boxes) or stray_processes(boxes)
    ):
        time.sleep(0.01)


def stray_processes(boxes: list[LiveBox]) -> list[psutil.Process]:
    """Processes below this one that the boxes do not need."""
    needed = {pid for box in boxes for process in box.permanent_processes for pid in (process.pid, process.ppid())}
    return [process for process in psutil.Process().children(recursive=True) if process.pid not in needed]


def files_inside(process: psutil.Process) -> int:
    """Files and directories where programs can write, seen through the process's own root."""
    found = 0
    for folder in ("tmp", "dev/shm", "dev/mqueue"):
        with contextlib.suppress(OSError):
            found += len(os.listdir(f"/proc/{process.pid}/root/{folder}"))
    return found


def control_groups() -> int:
    """Control groups that this process has made."""
    return sum(len([*Path(top).glob(f"codegym-{os.getpid()}-*")]) for top in _group_tops())


def _group_tops() -> list[str]:
    return [f"/sys/fs/cgroup/{name}" for name in ("", "memory", "pids")]


@contextlib.contextmanager
def own_temp_folder() -> Iterator[Path]:
    """A temporary folder of our own for everything that is made below, so that leftovers can be told from others'."""
    before = tempfile.tempdir
    with tempfile.TemporaryDirectory(prefix="codegym-benchmark-") as folder:
        os.chmod(folder, 0o755)
        tempfile.tempdir = folder
        try:
            yield Path(folder)
        finally:
            tempfile.tempdir = before


def leftovers(folder: Path, backend: str) -> dict[str, int]:
    """What must be gone when a sandbox is closed: everything is 0 then."""
    children = psutil.Process().children(recursive=True)
    return {
        "processes": len(children),
        "zombies": sum(map(is_zombie, children)),
        "containers": len(containers()) if backend == "docker" else 0,
        "files": len(os.listdir(folder)),
        "control groups": control_groups(),
    }
