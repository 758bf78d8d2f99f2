"""Watches the process tree of a slow program, ends it at a limit, and finds the reason of its end."""

from __future__ import annotations

import os
import select
import signal
from contextlib import suppress
from resource import RUSAGE_CHILDREN, getrusage
from time import monotonic

from .protocol import CRASHED, EXITED, MEMORY, OUTPUT, REPORT_FD, STDOUT_FD, TIMEOUT, Limits

QUICK_SECONDS = 0.02
"""A program that ends earlier cannot have used up the memory of a box."""
POLL_SECONDS = 0.05
"""Time between two measurements of a process tree, in seconds."""
_PAGE = os.sysconf("SC_PAGE_SIZE")
_TICK = 1 / os.sysconf("SC_CLK_TCK")

Events = list[tuple[int, int]]


class Watcher:
    """Watches processes of the forker; ``poll`` waits for the descriptor ``process`` and the server's."""

    def __init__(self, poll: select.poll, process: int, memory_events: int | None) -> None:
        self._poll = poll
        self._process = process
        self._memory_events = memory_events
        self._shared_pages = int(_stat(os.getpid())[21])  # memory that every fork starts with
        self._kills = self._read_kills()

    def end(self, pid: int, limits: Limits, started: float, events: Events) -> tuple[int, int, float, float]:
        """Wait for the process, or end it if its tree exceeds a limit; return the fields of an ``End``."""
        ended = EXITED if events and events[0][0] == self._process else self._watch(limits, started, events)
        if ended != EXITED:
            send_signal(pid, signal.SIGKILL)
        before = sum(getrusage(RUSAGE_CHILDREN)[:2])  # not "wait4", which imports a module each time
        status = os.waitpid(pid, 0)[1]
        wall, cpu = monotonic() - started, sum(getrusage(RUSAGE_CHILDREN)[:2]) - before
        if status == 0 and ended == EXITED and wall < QUICK_SECONDS:
            return EXITED, 0, cpu, wall
        status = os.waitstatus_to_exitcode(status)
        if ended == EXITED and status < 0:
            ended = self._signal_reason(status, cpu, limits)
        elif ended == EXITED and wall > QUICK_SECONDS and self._out_of_memory():
            ended = MEMORY  # the kernel chose one of its children
        return ended, status, cpu, wall

    def _watch(self, limits: Limits, started: float, events: Events) -> int:
        while not events:
            cpu_seconds, memory = self._usage()
            if sum(os.fstat(descriptor).st_size for descriptor in (STDOUT_FD, REPORT_FD)) > limits.output:
                return OUTPUT
            if memory > limits.memory:
                return MEMORY
            left = started + limits.wall - monotonic()
            if cpu_seconds > limits.cpu or left < 0:
                return TIMEOUT
            events = self._poll.poll(1000 * max(0.001, min(POLL_SECONDS, left)))
        return EXITED if any(descriptor == self._process for descriptor, _ in events) else CRASHED

    def _usage(self) -> tuple[float, int]:
        """Return CPU seconds and resident bytes of all processes of the program."""
        total_cpu, total_memory = 0.0, 0
        for pid in descendants():
            with suppress(OSError, IndexError, ValueError):
                fields = _stat(pid)
                total_cpu += sum(map(int, fields[11:15])) * _TICK
                total_memory += max(0, int(fields[21]) - self._shared_pages) * _PAGE
        return total_cpu, total_memory

    def _signal_reason(self, status: int, cpu_seconds: float, limits: Limits) -> int:
        """Return the limit that caused the signal which ended the process."""
        if status == -signal.SIGXCPU or cpu_seconds > limits.cpu:
            return TIMEOUT
        if status == -signal.SIGXFSZ:
            return OUTPUT
        return MEMORY if status == -signal.SIGKILL and self._out_of_memory() else CRASHED

    def _out_of_memory(self) -> bool:
        """Return whether the kernel has killed a process for memory since the last call."""
        before, self._kills = self._kills, self._read_kills()
        return self._kills > before

    def _read_kills(self) -> int:
        """Return how many processes of this control group the kernel has killed for memory."""
        if self._memory_events is not None:
            for line in os.pread(self._memory_events, 4096, 0).splitlines():
                name, _, number = line.partition(b" ")
                if name == b"oom_kill":
                    return int(number)
        return 0


def descendants() -> list[int]:
    """Return all processes of a program: the forker starts nothing else."""
    parents = _parents()
    forker = os.getpid()
    return [pid for pid in parents if pid != forker and _descends(pid, forker, parents)]


def _parents() -> dict[int, int]:
    parents = {}
    for name in os.listdir("/proc"):
        if name.isdigit():
            with suppress(OSError, IndexError, ValueError):
                parents[int(name)] = int(_stat(int(name))[1])
    return parents


def _stat(pid: int) -> list[bytes]:
    """Return the fields of /proc/PID/stat from the third one (state) on; the name may have blanks and brackets."""
    with open(f"/proc/{pid}/stat", "rb") as file:
        return file.read().rpartition(b")")[2].split()


def _descends(pid: int, ancestor: int, parents: dict[int, int]) -> bool:
    for _ in range(len(parents) + 1):
        if pid in (ancestor, 0):
            return pid == ancestor
        pid = parents.get(pid, 0)
    return False


def send_signal(pid: int, signum: int) -> None:
    """Send a signal to a process, if it still exists."""
    with suppress(ProcessLookupError, PermissionError):
        os.kill(pid, signum)
