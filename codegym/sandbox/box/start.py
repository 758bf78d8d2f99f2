"""Start of the two processes of a box, server and forker, from its settings."""

from __future__ import annotations

import os
import resource
import signal
import socket
import sys
from contextlib import suppress
from typing import Any, NoReturn

from . import confine, isolate, server
from .frames import Stream

SERVER_MEMORY = 1 << 30
_RLIMIT_MSGQUEUE = 12


def start(settings: dict[str, Any]) -> None:
    """Confine this process, start the forker, and continue as the server.

    The server is process 1 of the box, so no program can signal it, and when it ends everything in the box ends.

    ``settings["level"]`` is "engine" (a container engine has built the box), "root" (namespaces made by root), "user"
    (namespaces inside a user namespace) or "plain" (no namespaces). At the first two, programs run as the user
    ``settings["uid"]`` and the server as the next one; the forker keeps ``settings["capabilities"]`` for that.
    """
    level = settings["level"]
    memory_events = _open_first(settings["memory_events"])
    host = _connect(settings)
    if level in ("root", "user"):
        isolate.enter(settings)
    _confine(settings)
    ours, forkers = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    if os.fork() == 0:
        host.close()
        ours.close()
        _become_forker(settings, forkers, memory_events)
    forkers.close()
    if memory_events is not None:
        os.close(memory_events)
    resource.setrlimit(resource.RLIMIT_DATA, (SERVER_MEMORY, SERVER_MEMORY))
    _drop_privileges(settings)
    server.serve(Stream(host), ours)


def _connect(settings: dict[str, Any]) -> socket.socket:
    """Return the connection to the host: an inherited descriptor, or a socket file that only the box's root may use."""
    if "descriptor" in settings:
        return socket.socket(fileno=settings["descriptor"])
    connection = socket.socket(socket.AF_UNIX)
    connection.connect(settings["socket"])
    connection.sendall(f"{settings['nonce']}\n".encode())
    return connection


def _open_first(paths: list[str]) -> int | None:
    """Open the first file that exists; before the new root hides it."""
    for path in paths:
        with suppress(OSError):
            return os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    return None


def _confine(settings: dict[str, Any]) -> None:
    """Set what both processes inherit: limits, standard streams, and the system call filter."""
    _limit()
    null = os.open("/dev/null", os.O_RDWR)
    for descriptor in (0, 1):  # the third stays the log of the box
        os.dup2(null, descriptor)
    os.close(null)
    os.chdir(settings["writable"][0])
    os.umask(0o022)
    if os.getuid() == 0 and settings["level"] != "user":
        os.setgroups([])
    confine.filter_system_calls(network=settings["level"] != "plain")


def _limit() -> None:
    """Set the limits that are the same for all processes of the box."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(_RLIMIT_MSGQUEUE, (0, 0))  # message queues would outlive the program
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(1024, hard), min(1024, hard)))
    with suppress(ValueError, OSError):  # deep recursion through C code is legal in contests
        resource.setrlimit(resource.RLIMIT_STACK, (64 << 20, resource.getrlimit(resource.RLIMIT_STACK)[1]))


def _become_forker(settings: dict[str, Any], connection: socket.socket, memory_events: int | None) -> NoReturn:
    """Replace this process by another interpreter that can change users, end processes and delete files."""
    level = settings["level"]
    confine.prctl(confine.PR_SET_CHILD_SUBREAPER, 1)
    if level != "plain":  # at this level it survives until it has ended the program, which no other process would do
        confine.prctl(confine.PR_SET_PDEATHSIG, signal.SIGKILL)
    if settings["uid"] is not None:
        confine.drop_capabilities(settings["capabilities"])
    confine.refuse_memory_files()
    kept = [connection.fileno()] + ([] if memory_events is None else [memory_events])
    for descriptor in kept:
        os.set_inheritable(descriptor, True)
    forker_settings = {
        "server": connection.fileno(),
        "uid": settings["uid"],
        "own_namespace": level == "user",
        "memory_events": memory_events,
        "writable": [path for path in settings["writable"] if os.path.isdir(path)],
    }
    box = os.path.dirname(os.path.abspath(__file__))
    paths = [path for path in sys.path if path and path != box] + settings["paths"]
    orders = {"settings": forker_settings, "paths": paths, "preload": settings["preload"]}
    folder, package = os.path.split(settings["box"])
    program = f"import sys; sys.path.append({folder!r}); from {package} import forker; forker.main(**{orders!r})"
    os.execv(settings["python"], [settings["python"], *sys.orig_argv[1:-2], "-c", program])


def _drop_privileges(settings: dict[str, Any]) -> None:
    """Protect the process that holds secrets: another user than the programs', no capabilities, not inspectable."""
    if settings["uid"] is not None:
        uid = settings["uid"] + 1
        os.setresgid(uid, uid, uid)
        os.setresuid(uid, uid, uid)
    elif settings["level"] == "user":
        confine.drop_capabilities(())
    confine.prctl(confine.PR_SET_DUMPABLE, 0)
    confine.prctl(confine.PR_SET_PDEATHSIG, signal.SIGKILL)
