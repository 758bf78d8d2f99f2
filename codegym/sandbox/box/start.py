"""From the settings of a box to its three processes: examiner, server and forker."""

from __future__ import annotations

import os
import resource
import signal
import socket
import sys
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from . import confine, examiner, forker, isolate, server, watch
from .frames import Stream

EXAMINER_MEMORY = 1 << 30

Connect = Callable[[dict[str, Any], str], socket.socket]


def start(settings: dict[str, Any], connect: Connect, below: list[bool]) -> None:
    """Confine this process, fork the forker and the server, go on as the examiner.

    The examiner is process 1 of the box, so no program can signal it, and when it ends everything in the box ends.

    ``settings["level"]``: "engine" (a container engine has built the box), "root" (namespaces, made by root),
    "user" (namespaces inside a user namespace) or "plain" (no namespaces). The first two have users for programs and
    for those who see secrets, from ``settings["uid"]`` on, and the forker keeps ``settings["capabilities"]`` for that.
    """
    level = settings["level"]
    settings["memory_events"] = _open_first(settings["memory_events"])
    hosts = {role: connect(settings, role) for role in ("server", "examiner")}
    if level in ("root", "user"):
        isolate.enter(settings)
    _settle(settings)
    server_tests, tests = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    server_forks, forks = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    if os.fork() == 0:
        _close(*hosts.values(), server_tests, tests, server_forks)
        _fork(settings, forks, below)
    if os.fork() == 0:
        _close(hosts["examiner"], tests, forks)
        _withdraw(settings)
        server.serve(Stream(hosts["server"]), server_forks, server_tests)
    _close(hosts["server"], server_tests, server_forks, forks)
    resource.setrlimit(resource.RLIMIT_DATA, (EXAMINER_MEMORY, EXAMINER_MEMORY))
    _withdraw(settings)
    examiner.examine(Stream(hosts["examiner"]), tests)


def _close(*connections: socket.socket) -> None:
    for connection in connections:
        connection.close()


def _open_first(paths: list[str]) -> int | None:
    """A descriptor of the first file there is; opened early, since the new root does not show it."""
    for path in paths:
        with suppress(OSError):
            return os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    return None


def _settle(settings: dict[str, Any]) -> None:
    """What the three processes share: limits, standard streams, search path, the filter of system calls."""
    watch.limit_server()
    null = os.open("/dev/null", os.O_RDWR)
    for descriptor in (0, 1):  # the third stays the log of the box
        os.dup2(null, descriptor)
    os.close(null)
    os.chdir(settings["writable"][0])
    os.umask(0o022)
    sys.executable = settings["python"]
    os.environ.pop("LD_BIND_NOW", None)  # it was for the start of this interpreter
    if os.getuid() == 0 and settings["level"] != "user":
        os.setgroups([])
    sys.path[:] = [path for path in sys.path if path and path != os.path.dirname(os.path.abspath(__file__))] + settings[
        "paths"
    ]
    confine.filter_system_calls(network=settings["level"] != "plain")


def _fork(settings: dict[str, Any], server_end: socket.socket, below: list[bool]) -> None:
    """The forker's process: it keeps what it needs to change users, end processes and delete files."""
    level = settings["level"]
    confine.prctl(confine.PR_SET_CHILD_SUBREAPER, 1)
    if level != "plain":  # there it lives on until it has ended the program, which nobody else would do
        confine.prctl(confine.PR_SET_PDEATHSIG, signal.SIGKILL)
    if settings["uid"] is not None:
        confine.drop_capabilities(settings["capabilities"])
    confine.refuse_memory_files()
    details = forker.Settings(
        uid=settings["uid"],
        own_namespace=level == "user",
        preload=tuple(settings["preload"]),
        memory_events=settings["memory_events"],
        writable=tuple(filter(os.path.isdir, settings["writable"])),
        below=below,
    )
    forker.serve(server_end, details)


def _withdraw(settings: dict[str, Any]) -> None:
    """For the processes that see secrets: another user than the programs', no capabilities, nobody may look in."""
    if settings["uid"] is not None:
        uid = settings["uid"] + 1
        os.setresgid(uid, uid, uid)
        os.setresuid(uid, uid, uid)
    elif settings["level"] == "user":
        confine.drop_capabilities(())
    confine.prctl(confine.PR_SET_DUMPABLE, 0)
    confine.prctl(confine.PR_SET_PDEATHSIG, signal.SIGKILL)
