"""Forker of a box: a pre-imported interpreter that forks one process per run and leaves nothing of it alive.

Processes that a program leaves behind become children of the forker (it is a "subreaper"). It has no other children, so
if there are none, nothing of the program is left. The forker itself reads only numbers. The program is in a memory file
that only the fork opens, so the memory that a program inherits holds nothing of earlier programs, except when and how a
few of them have ended.

A fork starts with the forker's page tables and copies each page that either of the two writes to, even to count a
reference: this is most of the cost of a program. Therefore the forker is an interpreter of its own in which little is
loaded, and it does little while a program runs.
"""

from __future__ import annotations

import gc
import importlib
import marshal
import os
import random
import resource
import select
import signal
import site
import sys
import time
import warnings
from _socket import CMSG_SPACE, socket  # the module "socket" would make each fork slower
from collections.abc import Callable
from contextlib import suppress
from math import ceil
from typing import Any, NamedTuple

from . import candidate, cleaning, prewarm, watch
from .program import FILENAME
from .protocol import FILE_FDS, MESSAGE_BYTES, REPORT_FD, STDOUT_FD, Limits

PROCESS_FD = FILE_FDS[-1] + 1
"""Descriptor of the process itself: the next that the forker opens after the files of the process."""
SERVER_FD, EVENTS_FD, LOG_FD = range(61, 64)
"""Descriptors of the forker alone; with one above 63 the kernel would need a larger table for every fork."""
FIRST_POLL_SECONDS = 0.1
"""Time after which a process is watched closely, in seconds."""
SWEEP_SECONDS = 10
"""Time for killing all processes of a program, in seconds."""
MAX_PLANS = 16
"""Number of messages whose plans are remembered."""


class Settings(NamedTuple):
    """Settings that are the same for every program of a box."""

    server: int
    """Descriptor of the connection to the server."""
    uid: int | None
    """User id of programs; None if the box has only one user."""
    own_namespace: bool
    """Whether each program gets a process namespace, because it runs as the user of the box."""
    memory_events: int | None
    """Descriptor of the file in which the control group counts its out-of-memory kills."""
    writable: list[str]
    """Directories that programs can write to; emptied after each program."""


class Plan(NamedTuple):
    """Decoded request of the server."""

    limits: Limits
    defer_end: bool
    """Whether the end may be reported together with that of the next process."""
    steps: candidate.Steps
    first_poll_ms: float
    """Time after which the process is watched closely, in milliseconds."""


class Forker:
    """Runs one process after another for the server, until that closes the connection."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._server = _move_descriptors(settings)
        self._poll = select.poll()
        self._poll.register(SERVER_FD, select.POLLRDHUP)  # the server has closed: the result is not needed
        self._poll.register(PROCESS_FD, select.POLLIN)
        self._watcher = watch.Watcher(self._poll, PROCESS_FD, None if settings.memory_events is None else EVENTS_FD)
        # A directory is empty if its file system has as many free files as at the start.
        self._free_files = [(directory, os.statvfs(directory).f_ffree) for directory in settings.writable]
        # Hooks of modules at forks are for the forks of programs: run here, they cost more than the fork.
        self._hooks = _hooks_at_forks()
        self._hooks_of_programs = [*self._hooks]
        self._hooks.clear()
        self._confine: Any = None
        if settings.uid is None:
            self._confine = importlib.import_module(".confine", __package__)  # only here: it takes memory pages

    def serve(self) -> None:
        """Run processes until the end of the stream; their files arrive with the limits, at their descriptors."""
        fork: Callable[[], int] = os.fork
        if self.settings.own_namespace:
            fork = self._confine.fork_into_namespace
        # Local names: each lookup of a global would copy the page of the object for every program.
        receive, open_process, poll, send = self._server.recvmsg, os.pidfd_open, self._poll.poll, self._server.send
        become, monotonic, room = candidate.become, time.monotonic, CMSG_SPACE(4 * len(FILE_FDS))
        end, sweep, dumps = self._watcher.end, self._sweep, marshal.dumps
        plans: dict[bytes, Plan] = {}
        ended: list[tuple[int, int, float, float]] = []
        while message := receive(MESSAGE_BYTES, room)[0]:
            if message not in plans:  # most messages equal an earlier one
                if len(plans) == MAX_PLANS:
                    plans.clear()
                plans[message] = self._plan(message)
            limits, defer_end, steps, first_poll_ms = plans[message]
            started = monotonic()
            pid = fork()
            if pid == 0:
                become(steps, limits.lines)
            # Until the program has ended, every page that is written to is copied: so only the minimum is done here.
            place = open_process(pid)
            events = poll(first_poll_ms)
            if place != PROCESS_FD:  # all lower ones are taken
                os._exit(72)  # the host replaces the box
            if ended and not events:  # this one is slow, and those before it have ended
                send(dumps(ended))
                ended.clear()
            ended.append(end(pid, limits, started, events))
            sweep(limits)
            if not defer_end:
                send(dumps(ended))
                ended.clear()

    def _plan(self, message: bytes) -> Plan:
        fields, defer_end = marshal.loads(message)
        limits = Limits(*fields)
        return Plan(limits, defer_end, self._steps(limits), 1000 * min(FIRST_POLL_SECONDS, limits.wall))

    def _steps(self, limits: Limits) -> candidate.Steps:
        """Return the calls by which a fork gives up everything that does not belong to its program."""
        uid = self.settings.uid
        ids = (uid, uid, uid)
        return [
            (os.setpgid, (0, 0)),  # kill(0) reaches a process group across namespaces: it must not be the server's
            (os.closerange, (PROCESS_FD, 1 << 16)),
            *((resource.setrlimit, limit) for limit in kernel_limits(limits)),
            *(
                [(self._confine.drop_capabilities, ((),))]
                if uid is None
                else [(os.setresgid, ids), (os.setresuid, ids)]
            ),
            (self._hooks.extend, (self._hooks_of_programs,)),
        ]

    def _sweep(self, limits: Limits) -> None:
        """Kill what the program left alive, reap it, close its files and empty the directories it could write to."""
        if not _reap():
            _kill_all()
        for descriptor in (STDOUT_FD, REPORT_FD):  # they are memory that the next program may need
            if os.lseek(descriptor, 0, os.SEEK_END) > limits.output:
                os.truncate(descriptor, limits.output + 1)
        os.closerange(0, PROCESS_FD + 1)
        for directory, num_free in self._free_files:
            if os.statvfs(directory).f_ffree != num_free:
                cleaning.empty(directory)


def kernel_limits(limits: Limits) -> list[tuple[int, tuple[int, int]]]:
    """Return the limits that the kernel enforces on every process of the tree."""
    seconds = ceil(limits.cpu) + 1  # the watcher kills earlier and counts the whole tree
    return [
        (resource.RLIMIT_CPU, (seconds, seconds + 1)),
        (resource.RLIMIT_DATA, (limits.memory, limits.memory)),
        (resource.RLIMIT_FSIZE, (limits.files, limits.files)),
        (resource.RLIMIT_NPROC, (limits.processes, limits.processes)),
    ]


def _reap() -> bool:
    """Reap the children that have ended; return whether no child, and so nothing of the program, is left."""
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
        return False
    except ChildProcessError:
        return True


def _kill_all() -> None:
    """Stop everything first, so that a fork bomb cannot outrun the killing, then kill and reap."""
    deadline = time.monotonic() + SWEEP_SECONDS
    while time.monotonic() < deadline:
        for signum in (signal.SIGSTOP, signal.SIGKILL):
            for pid in watch.descendants():
                watch.send_signal(pid, signum)
        if _reap():
            return
        time.sleep(0.001)
    os._exit(70)  # the host replaces a box that cannot be cleaned


def _move_descriptors(settings: Settings) -> socket:
    """Move the forker's descriptors to high numbers, so that the files of processes arrive at the lowest ones."""
    kept = {SERVER_FD: settings.server, LOG_FD: 2}
    if settings.memory_events is not None:
        kept[EVENTS_FD] = settings.memory_events
    for place, descriptor in kept.items():
        os.dup2(descriptor, place, inheritable=False)
    os.closerange(0, SERVER_FD)
    return socket(fileno=SERVER_FD)


def _hooks_at_forks() -> list[Callable[[], object]]:
    """Return the interpreter's own list of the functions that it calls in a child after a fork."""

    def marker() -> None:
        pass

    os.register_at_fork(after_in_child=marker)
    hooks: list[Any] = next(holder for holder in gc.get_referrers(marker) if type(holder) is list)
    hooks.remove(marker)
    return hooks


def main(settings: dict[str, Any], paths: list[str], preload: list[str]) -> None:
    """Import what programs need, warm up, then serve until the server is gone."""
    sys.path[:] = paths
    os.environ.pop("LD_BIND_NOW", None)  # only for the start of this interpreter
    for name in preload:
        importlib.import_module(name)
    warnings.simplefilter("ignore")
    for setter in (site.setquit, site.sethelper, site.setcopyright):
        setter()  # "exit" and "quit", which "-S" leaves out
    prewarm.warm_up()
    random.seed(0)
    sys.argv[:] = [FILENAME]
    forker = Forker(Settings(**settings))
    gc.collect()
    prewarm.fill_pools()
    gc.freeze()
    bytes(1 << 16)  # makes the C allocator consolidate its free memory now, so that no fork has to
    try:
        with suppress(EOFError, OSError):
            forker.serve()
    except BaseException as error:
        traceback = importlib.import_module("traceback")
        os.write(LOG_FD, "".join(traceback.format_exception(error)).encode())
    os._exit(0)
