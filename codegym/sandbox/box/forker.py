"""The forker of a box: a warm interpreter that forks for every process and leaves nothing of it alive.

Whatever a program leaves behind becomes the forker's child (it is a "subreaper"), and it has no other children: when
there are none, nothing of the program is left. All it ever reads itself are numbers; the program is in a memory file
that only the fork opens, so the memory that a program inherits holds nothing of any program before it.

A fork starts with the forker's page tables and copies each page that either of the two writes to, if only to count a
reference: that is most of what a program costs. So little is loaded here, and little is done for each program.
"""

from __future__ import annotations

import gc
import importlib
import os
import posix
import random
import resource
import signal
import site
import socket
import sys
import time
import warnings
from contextlib import suppress
from typing import NamedTuple

from . import candidate, confine, files, warm, watch

ROOM_FOR_DESCRIPTORS = socket.CMSG_SPACE(4 * len(files.PLACES))
SWEEP_SECONDS = 10


class Settings(NamedTuple):
    """What is the same for every program of a box."""

    uid: int | None
    """Programs run as this user; None where the box has only one."""
    own_namespace: bool
    """Each program gets a process namespace, since it has the user of the box."""
    preload: tuple[str, ...]
    memory_events: int | None
    """Descriptor of the file in which the control group counts its out-of-memory kills."""
    writable: tuple[str, ...]
    """Where programs can write; emptied after each."""
    below: list[bool]
    """Not empty below the forker: there modules get done what they want done at forks."""


class Forker:
    """Runs one process after another for the server, until that closes the connection."""

    def __init__(self, server: socket.socket, settings: Settings) -> None:
        self.server = server
        self.settings = settings
        self.watcher = watch.Watcher(settings.memory_events is not None)
        # An empty directory is one whose file system has as many free files as at the start: cheaper than looking in.
        self.free_files = [(directory, os.statvfs(directory).f_ffree) for directory in settings.writable]

    def serve(self) -> None:
        """Run processes until the end of the stream; their files come with the limits and arrive in their places."""
        fork = confine.fork_into_namespace if self.settings.own_namespace else os.fork
        become, wait = candidate.become, self.watcher.wait
        known = b""
        while message := self.server.recvmsg(watch.LIMITS.size, ROOM_FOR_DESCRIPTORS)[0]:
            if message != known:  # mostly they are those of the program before
                known, limits = message, watch.Limits(*watch.LIMITS.unpack(message))
                steps, num_lines = self._steps(limits), limits.lines
            pid = fork()
            if pid == 0:
                become(steps, num_lines)
            result = wait(pid, limits)
            files.free()
            self._sweep()
            self.server.send(result)

    def _steps(self, limits: watch.Limits) -> candidate.Steps:
        """By which a fork gives up everything but what belongs to its program."""
        uid = self.settings.uid
        ids = (uid, uid, uid)
        return [
            (os.setsid, ()),  # kill(0) reaches a process group across namespaces: not the one of the server
            (os.dup2, (files.NULL_FD, 2)),
            (os.closerange, (files.CHANNEL_FD + 1, 1 << 16)),
            *((resource.setrlimit, limit) for limit in watch.kernel_limits(limits)),
            *([(confine.drop_capabilities, ((),))] if uid is None else [(os.setresgid, ids), (os.setresuid, ids)]),
            (self.settings.below.append, (True,)),
        ]

    def _sweep(self) -> None:
        """Kill what the program left alive, reap it, and empty the directories it could write to."""
        try:
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
            self._kill_all()
        except ChildProcessError:
            pass  # no child at all: nothing of the program is left
        for directory, num_free in self.free_files:
            if os.statvfs(directory).f_ffree != num_free:
                files.empty(directory)

    def _kill_all(self) -> None:
        """Stop everything first, so that a fork bomb cannot outrun the killing, then kill and reap."""
        deadline = time.monotonic() + SWEEP_SECONDS
        while time.monotonic() < deadline:
            for signum in (signal.SIGSTOP, signal.SIGKILL):
                for pid in self.watcher.descendants():
                    watch.send_signal(pid, signum)
            try:
                while os.waitpid(-1, os.WNOHANG)[0]:
                    pass
            except ChildProcessError:
                return
            time.sleep(0.001)
        os._exit(70)  # the host replaces a box that cannot be cleaned


def serve(server: socket.socket, settings: Settings) -> None:
    """Get warm, then serve until the server is gone."""
    warnings.simplefilter("ignore")
    for setter in (site.setquit, site.sethelper, site.setcopyright):
        setter()  # "exit" and "quit", which "-S" leaves out
    for name in settings.preload:
        importlib.import_module(name)
    os.register_at_fork = posix.register_at_fork
    warm.warm_up()
    random.seed(0)
    sys.argv[:] = [candidate.FILENAME]
    forker = Forker(files.arrange(server, settings.memory_events), settings)
    gc.collect()
    gc.freeze()
    with suppress(EOFError, OSError):
        forker.serve()
    os._exit(0)
