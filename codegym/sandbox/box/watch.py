"""Limits of one process tree: what the kernel enforces, and what the server looks after while it waits."""

from __future__ import annotations

import math
import os
import resource
import select
import signal
import struct
from contextlib import suppress
from time import monotonic
from typing import Any, NamedTuple

from .files import EVENTS_FD, PROCESS_FD, REPORT_FD, SERVER_FD, STDOUT_FD


class Limits(NamedTuple):
    """Of one process tree: seconds, bytes and counts."""

    cpu: float
    wall: float
    memory: int
    processes: int
    files: int
    """Size of any one file."""
    output: int
    lines: int
    """Lines of the program, to count those that run; 0 without tracing."""


LIMITS = struct.Struct("=2d5q")
"""The limits on their way from the server to the forker."""
ENDS = ("exited", "crashed", "timeout", "memory", "output")
EXITED, CRASHED, TIMEOUT, MEMORY, OUTPUT = range(5)
RESULT = struct.Struct("=Bi2d")
"""And back: how the process ended (an index of ``ENDS``), exit status, CPU seconds, wall seconds."""
FIRST_LOOK_SECONDS = 0.1
LOOK_SECONDS = 0.05
QUICK_SECONDS = 0.02
"""Who has ended by then has not used up the memory of a box."""
_RLIMIT_MSGQUEUE = 12
_PAGE = resource.getpagesize()
_TICK = 1 / os.sysconf("SC_CLK_TCK")


def kernel_limits(limits: Limits) -> list[tuple[int, tuple[int, int]]]:
    """Limits that the kernel enforces on every process of the tree."""
    seconds = math.ceil(limits.cpu) + 1  # the server kills earlier and counts the whole tree
    return [
        (resource.RLIMIT_CPU, (seconds, seconds + 1)),
        (resource.RLIMIT_DATA, (limits.memory, limits.memory)),
        (resource.RLIMIT_FSIZE, (limits.files, limits.files)),
        (resource.RLIMIT_NPROC, (limits.processes, limits.processes)),
    ]


def limit_server() -> None:
    """Limits that are the same for everything in the box."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(_RLIMIT_MSGQUEUE, (0, 0))  # message queues would outlive the program
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(1024, hard), min(1024, hard)))
    with suppress(ValueError, OSError):  # deep recursion through C code is legal in contests
        resource.setrlimit(resource.RLIMIT_STACK, (64 << 20, resource.getrlimit(resource.RLIMIT_STACK)[1]))


class Watcher:
    """Looks after the one process tree that runs, and knows why it ended."""

    def __init__(self, counts_kills: bool) -> None:
        self._poll = select.poll()
        self._poll.register(SERVER_FD, select.POLLRDHUP)  # nobody waits for the program any more
        self._poll.register(PROCESS_FD, select.POLLIN)
        self._shared_pages = int(_stat(os.getpid())[21])  # what every fork starts with, counted once
        self._counts_kills = counts_kills
        self._kills = self._read_kills()

    def wait(self, pid: int, limits: Limits) -> bytes:
        """Wait for the process, and end it where its tree goes over a limit; gives a packed ``RESULT``."""
        started = monotonic()
        if os.pidfd_open(pid) != PROCESS_FD:  # all below are taken
            os._exit(72)  # the host replaces the box
        ended = self._look_after(limits, started)
        if ended != EXITED:
            send_signal(pid, signal.SIGKILL)
        _, status, usage = os.wait4(pid, 0)
        wall = monotonic() - started
        status = os.waitstatus_to_exitcode(status)
        if ended == EXITED and status < 0:
            ended = self._why_signalled(status, usage, limits)
        elif ended == EXITED and wall > QUICK_SECONDS and self._out_of_memory():
            ended = MEMORY  # the kernel chose one of its children
        return RESULT.pack(ended, status, usage.ru_utime + usage.ru_stime, wall)

    def descendants(self) -> list[int]:
        """Every process that belongs to a program: the server has started nothing else."""
        parents = _parents()
        server = os.getpid()
        return [pid for pid in parents if pid != server and _descends(pid, server, parents)]

    def _look_after(self, limits: Limits, started: float) -> int:
        pause = min(FIRST_LOOK_SECONDS, limits.wall)
        while not (events := self._poll.poll(pause * 1000)):
            cpu_seconds, memory = self._usage()
            if sum(os.fstat(descriptor).st_size for descriptor in (STDOUT_FD, REPORT_FD)) > limits.output:
                return OUTPUT
            if memory > limits.memory:
                return MEMORY
            left = started + limits.wall - monotonic()
            if cpu_seconds > limits.cpu or left < 0:
                return TIMEOUT
            pause = max(0.001, min(LOOK_SECONDS, left))
        return EXITED if events[0][0] == PROCESS_FD or len(events) > 1 else CRASHED

    def _usage(self) -> tuple[float, int]:
        """CPU seconds and resident bytes of everything that the program has started."""
        total_cpu, total_memory = 0.0, 0
        for pid in self.descendants():
            with suppress(OSError, IndexError, ValueError):
                fields = _stat(pid)
                total_cpu += sum(map(int, fields[11:15])) * _TICK
                total_memory += max(0, int(fields[21]) - self._shared_pages) * _PAGE
        return total_cpu, total_memory

    def _why_signalled(self, status: int, usage: Any, limits: Limits) -> int:
        """Which limit stands behind the signal that ended the process."""
        if status == -signal.SIGXCPU or usage.ru_utime + usage.ru_stime > limits.cpu:
            return TIMEOUT
        if status == -signal.SIGXFSZ:
            return OUTPUT
        return MEMORY if status == -signal.SIGKILL and self._out_of_memory() else CRASHED

    def _out_of_memory(self) -> bool:
        """Whether the kernel has killed for memory since the last question."""
        before, self._kills = self._kills, self._read_kills()
        return self._kills > before

    def _read_kills(self) -> int:
        """How often the kernel has killed for memory in this control group."""
        if self._counts_kills:
            for line in os.pread(EVENTS_FD, 4096, 0).splitlines():
                name, _, number = line.partition(b" ")
                if name == b"oom_kill":
                    return int(number)
        return 0


def _parents() -> dict[int, int]:
    parents = {}
    for name in os.listdir("/proc"):
        if name.isdigit():
            with suppress(OSError, IndexError, ValueError):
                parents[int(name)] = int(_stat(int(name))[1])
    return parents


def _stat(pid: int) -> list[bytes]:
    """Fields of /proc/PID/stat from the third one (state) on; the name before may hold blanks and brackets."""
    with open(f"/proc/{pid}/stat", "rb") as file:
        return file.read().rpartition(b")")[2].split()


def _descends(pid: int, ancestor: int, parents: dict[int, int]) -> bool:
    for _ in range(len(parents) + 1):
        if pid in (ancestor, 0):
            return pid == ancestor
        pid = parents.get(pid, 0)
    return False


def send_signal(pid: int, signum: int) -> None:
    """Send it if the process is still there."""
    with suppress(ProcessLookupError, PermissionError):
        os.kill(pid, signum)
