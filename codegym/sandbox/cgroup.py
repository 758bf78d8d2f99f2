"""Control group around a box: the kernel's own limit on the memory and the processes of a process tree."""

from __future__ import annotations

import os
import secrets
import time
from contextlib import suppress
from pathlib import Path

from codegym.sandbox.base import Limits
from codegym.sandbox.box.protocol import BATCH

ROOT = Path("/sys/fs/cgroup")
"""Mount point of the control groups."""
_OVERHEAD_MB = 256
OVERHEAD_PROCESSES = 16
"""Number of processes that a box needs besides those of programs."""


def box_memory_mb(limits: Limits) -> int:
    """Return the memory of a box in MiB: the program's, and room for server, forker, temporary files and outputs.

    Args:
        limits: Limits of one program.
    """
    return limits.memory_mb + _OVERHEAD_MB + 2 * (BATCH - 1) * limits.output_mb  # each may print and report this much


class ControlGroup:
    """Directories of one control group, under version 1 (one a controller) or version 2 (one for all).

    Args:
        directories: Directories of the group.
        events: Path of the file in which the kernel counts the processes that it kills for memory.
    """

    def __init__(self, directories: list[Path], events: str) -> None:
        self.directories = directories
        self.events = events
        """Path of the file in which the kernel counts the processes that it kills for memory."""

    @classmethod
    def create(cls, limits: Limits) -> ControlGroup | None:
        """Make a control group with these ``limits``; return None if this process may not."""
        name = f"codegym-{os.getpid()}-{secrets.token_hex(4)}"
        memory = box_memory_mb(limits) << 20
        processes = limits.processes + OVERHEAD_PROCESSES
        try:
            if (ROOT / "cgroup.controllers").exists():
                return cls._create_v2(ROOT / name, memory, processes)
            return cls._create_v1(name, memory, processes)
        except OSError:
            return None

    @classmethod
    def _create_v2(cls, directory: Path, memory: int, processes: int) -> ControlGroup:
        directory.mkdir()
        group = cls([directory], str(directory / "memory.events"))
        try:
            (directory / "memory.max").write_text(str(memory))
            (directory / "pids.max").write_text(str(processes))
        except OSError:
            group.remove()
            raise
        with suppress(OSError):
            (directory / "memory.swap.max").write_text("0")
        return group

    @classmethod
    def _create_v1(cls, name: str, memory: int, processes: int) -> ControlGroup:
        directories = [ROOT / "memory" / name, ROOT / "pids" / name]
        group = cls(directories, str(directories[0] / "memory.oom_control"))
        try:
            for directory in directories:
                directory.mkdir()
            (directories[0] / "memory.limit_in_bytes").write_text(str(memory))
            (directories[1] / "pids.max").write_text(str(processes))
        except OSError:
            group.remove()
            raise
        return group

    @staticmethod
    def leftovers() -> list[Path]:
        """Return the directories of all groups of codegym, those in use too (which cannot be removed)."""
        return [path for parent in (ROOT, ROOT / "memory", ROOT / "pids") for path in parent.glob("codegym-*-*")]

    def enter(self) -> None:
        """Put the calling process into the group; for the child of a fork, before it executes a program."""
        for directory in self.directories:
            with open(directory / "cgroup.procs", "w") as file:
                file.write(str(os.getpid()))

    def remove(self) -> None:
        """Delete the directories as soon as the last process is gone."""
        for directory in self.directories:
            for _ in range(100):
                try:
                    directory.rmdir()
                except FileNotFoundError:
                    break
                except OSError:
                    time.sleep(0.01)
                else:
                    break


def version() -> int | None:
    """Return the version of the control groups, 1 or 2, or None if none are mounted."""
    if (ROOT / "cgroup.controllers").exists():
        return 2
    return 1 if (ROOT / "memory").is_dir() else None
