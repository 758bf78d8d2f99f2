"""Looks after the one process tree that runs, where it takes its time, and finds out why it ended."""

from __future__ import annotations

import os
import select
import signal
from contextlib import suppress
from resource import RUSAGE_CHILDREN, getrusage
from time import monotonic

from .protocol import CRASHED, EXITED, MEMORY, OUTPUT, REPORT_FD, STDOUT_FD, TIMEOUT, Limits

QUICK_SECONDS = 0.02
"""Who has ended by then has not used up the memory of a box."""
POLL_SECONDS = 0.05
_PAGE = os.sysconf("SC_PAGE_SIZE")
_TICK = 1 / os.sysconf("SC_CLK_TCK")

Events = list[tuple[int, int]]


class Watcher:
    """Watches processes of the forker; ``poll`` looks at the descriptor ``process``, and at the server's."""

    def __init__(self, poll: select.poll, process: int, memory_events: int | None) -> None:
        self._poll = poll
        self._process = process
        self._memory_events = memory_events
        self._shared_pages = int(_stat(os.getpid())[21])  # what every fork starts with, counted once
        self._kills = self._read_kills()

    def end(self, pid: int, limits: Limits, started: float, events: Events) -> tuple[int, int, float, float]:
        """Wait for the process, and end it where its tree goes over a limit; gives what makes an ``End``."""
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
        """CPU seconds and resident bytes of everything that the program has started."""
        total_cpu, total_memory = 0.0, 0
        for pid in descendants():
            with suppress(OSError, IndexError, ValueError):
                fields = _stat(pid)
                total_cpu += sum(map(int, fields[11:15])) * _TICK
                total_memory += max(0, int(fields[21]) - self._shared_pages) * _PAGE
        return total_cpu, total_memory

    def _signal_reason(self, status: int, cpu_seconds: float, limits: Limits) -> int:
        """Which limit stands behind the signal that ended the process."""
        if status == -signal.SIGXCPU or cpu_seconds > limits.cpu:
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
        if self._memory_events is not None:
            for line in os.pread(self._memory_events, 4096, 0).splitlines():
                name, _, number = line.partition(b" ")
                if name == b"oom_kill":
                    return int(number)
        return 0


def descendants() -> list[int]:
    """Every process that belongs to a program: the forker starts nothing else."""
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
