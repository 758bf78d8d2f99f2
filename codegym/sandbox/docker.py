"""Docker back end: one hardened, long-lived container for each box."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import shutil
import socket
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from codegym.errors import SandboxError, SandboxUnavailable
from codegym.sandbox.base import Limits
from codegym.sandbox.cgroup import OVERHEAD_PROCESSES, box_memory_mb
from codegym.sandbox.connection import Box
from codegym.sandbox.image import BOX_PATH, LABEL, PACKAGES_PATH, ensure_image
from codegym.sandbox.pool import Pool
from codegym.sandbox.process import CAPABILITIES, FLAGS, PRELOAD, START_ENVIRONMENT, random_uid

try:
    import docker
    import docker.errors
    import docker.utils
    import requests
except ImportError as error:
    raise SandboxUnavailable("the Docker SDK is not installed. pip install 'codegym[docker]'") from error

OWNER = "codegym.owner"
"""Label of a container: the host and process that it serves."""
START_SECONDS = 30.0
"""Time in which a container has to connect, in seconds."""
_SOCKETS = "/run/codegym"
_EVENTS = ("/sys/fs/cgroup/memory.events", "/sys/fs/cgroup/memory/memory.oom_control")


class DockerSandbox(Pool):
    """Runs programs in hardened containers: the back end for untrusted programs.

    *Covered*:

    - There is no network. The root file system is read-only and holds nothing of the host.
    - /tmp and /dev/shm are private, of limited size, and emptied after each program.
    - The forker keeps five capabilities, to change users, end processes and delete files; programs have none and
      cannot gain privileges.
    - The engine's seccomp profile applies, and a second filter below it: no ptrace, no IPC that outlives a process, no
      namespaces, no mounts, no io_uring, no BPF.
    - Programs run as one user, the server as another.
    - Control groups limit memory and processes. CPU time, wall time, file size and output are limited too.
    - Containers are labeled, checked with a nonce, recycled, and removed when their owner is gone; a container whose
      owner dies ends by itself.

    *Not covered*:

    - Faults of the kernel, which is shared with the host. Pass ``runtime="runsc"`` for gVisor if it is installed.
    - Timing and cache side channels.
    - An engine on another machine, which is refused.

    Args:
        limits: Largest limits that a request may ask for.
        num_workers: Number of containers; by default one for each core.
        packages: Packages that programs may import beyond the standard library; they are installed in the image.
        preload: Modules that are loaded before programs run, so that importing them costs no time.
        recycle_after: Number of programs after which a container is replaced.
        image: Image of your own in place of the built one; it needs ``/codegym_box``.
        runtime: OCI runtime of the engine, such as "runsc".

    Raises:
        SandboxUnavailable: No engine answers, it is not local, or no image can be built; the message has what to do.
    """

    def __init__(
        self,
        limits: Limits = Limits(),  # noqa: B008 - a frozen record
        num_workers: int | None = None,
        *,
        packages: tuple[str, ...] = (),
        preload: tuple[str, ...] = (),
        recycle_after: int = 10_000,
        image: str | None = None,
        runtime: str | None = None,
    ) -> None:
        self._preload = (*PRELOAD, *preload)
        self._limits = limits
        self._runtime = runtime
        with engine() as client:
            sweep(client)
            self._image = image or ensure_image(client, packages)
        super().__init__(self._start_box, num_workers or os.cpu_count() or 1, limits, recycle_after)

    @staticmethod
    def check_available() -> None:
        """Raise if no Docker engine answers on this host.

        Raises:
            SandboxUnavailable: No engine answers, its socket is forbidden, or it is on another machine.
        """
        _check_address(_address())

    def _start_box(self) -> Box:
        nonce = secrets.token_hex(16)
        folder = tempfile.mkdtemp(prefix=f"codegym-{os.getpid()}-")
        os.chmod(folder, 0o755)
        try:
            with socket.socket(socket.AF_UNIX) as listener:
                path = os.path.join(folder, "socket")
                listener.bind(path)
                os.chmod(path, 0o666)  # the engine may map users; the nonce is the key
                listener.listen(1)
                with engine() as client:
                    container = client.containers.run(**self._container(folder, nonce))
                    try:
                        connection = _accept(listener, container, nonce)
                    except BaseException:
                        remove(container.id)
                        raise
        finally:
            shutil.rmtree(folder, ignore_errors=True)  # from now on, nothing in the box can reach the host by it
        identity = container.id
        return Box(connection, lambda: remove(identity), lambda: _log(identity))

    def _container(self, folder: str, nonce: str) -> dict[str, Any]:
        """Return the arguments of ``docker run``."""
        settings = {
            "level": "engine",
            "python": "/usr/bin/python3",
            "uid": random_uid(),
            "capabilities": CAPABILITIES,
            "socket": f"{_SOCKETS}/socket",
            "nonce": nonce,
            "box": BOX_PATH,
            "paths": [PACKAGES_PATH],
            "writable": ["/tmp", "/dev/shm"],
            "preload": self._preload,
            "memory_events": _EVENTS,
        }
        temporary = f"rw,nosuid,nodev,exec,size={self._limits.temp_mb}m,nr_inodes=16384,mode=1777"
        return {
            "image": self._image,
            "command": ["python3", *FLAGS, BOX_PATH, json.dumps(settings)],
            "detach": True,
            "auto_remove": True,
            "runtime": self._runtime,
            "network_mode": "none",
            "ipc_mode": "private",
            "read_only": True,
            "user": "0:0",
            "cap_drop": ["ALL"],
            "cap_add": list(CAPABILITIES),
            "security_opt": ["no-new-privileges"],
            "mem_limit": f"{box_memory_mb(self._limits)}m",
            "memswap_limit": f"{box_memory_mb(self._limits)}m",
            "pids_limit": self._limits.processes + OVERHEAD_PROCESSES,
            "tmpfs": {"/tmp": temporary, "/dev/shm": temporary},
            "environment": START_ENVIRONMENT,
            "volumes": {folder: {"bind": _SOCKETS, "mode": "ro"}},
            "working_dir": "/tmp",
            "labels": {LABEL: "1", OWNER: owner()},
            "log_config": docker.types.LogConfig(type="json-file", config={"max-size": "1m"}),
        }


@contextlib.contextmanager
def engine() -> Iterator[docker.DockerClient]:
    """Yield a client of the local engine; an error of the engine inside the block is a ``SandboxError``.

    Every block has a client of its own, because clients are not thread-safe and do not survive a restart of the engine.

    Raises:
        SandboxUnavailable: No engine answers, its socket is forbidden, or it is on another machine.
        SandboxError: The engine failed inside the block.
    """
    address = _address()
    _check_address(address)
    try:
        # by its address: from_env would follow a context of the command line, which may lead to another machine
        client = docker.DockerClient(address, timeout=60)
    except (docker.errors.DockerException, OSError) as error:
        raise _unavailable(address, error) from error
    try:
        yield client
    except (docker.errors.DockerException, requests.RequestException) as error:
        raise SandboxError(f"the Docker engine failed: {_short(error)}") from error
    finally:
        client.close()


def _address() -> str:
    return os.environ.get("DOCKER_HOST") or "unix:///var/run/docker.sock"


def _check_address(address: str) -> None:
    """Connect to the engine and hang up: the SDK leaks its open socket if no engine listens."""
    if not address.startswith("unix://"):
        raise SandboxUnavailable(
            f"the Docker engine must be on this host: got DOCKER_HOST={address}; expected unix://PATH. "
            'Unset DOCKER_HOST, or use sandbox="process"'
        )
    with socket.socket(socket.AF_UNIX) as visitor:
        visitor.settimeout(60)
        try:
            visitor.connect("/" + docker.utils.parse_host(address).removeprefix("http+unix://").lstrip("/"))
        except (docker.errors.DockerException, OSError) as error:
            raise _unavailable(address, error) from error


def _unavailable(address: str, error: Exception) -> SandboxUnavailable:
    """Return the error for an engine that does not answer, with what to do."""
    if isinstance(error, PermissionError):
        return SandboxUnavailable(
            f"this user may not use the Docker engine at {address} (permission denied). Add the user to the group of "
            'the socket (usermod -aG docker USER, then log in again), or use sandbox="process"'
        )
    return SandboxUnavailable(
        f"no Docker engine answers at {address} ({_short(error)}). Start one (systemctl start docker, or dockerd "
        'as root), set DOCKER_HOST for a rootless one, or use sandbox="process"'
    )


def owner() -> str:
    """Return host, number and start time of this process; the time distinguishes later processes of that number."""
    return f"{socket.gethostname()}/{os.getpid()}/{_start_time(os.getpid())}"


def sweep(client: docker.DockerClient, everything: bool = False) -> int:
    """Remove containers whose owner on this host is gone, and return their number.

    Args:
        client: Client of the engine.
        everything: Remove all containers of codegym, also those that are in use.
    """
    num_removed = 0
    for container in client.containers.list(all=True, filters={"label": OWNER}, ignore_removed=True):
        host, pid, started = ([*container.labels[OWNER].split("/"), "", ""])[:3]
        alive = host != socket.gethostname() or (pid.isdigit() and _start_time(int(pid)) == started)
        if everything or not alive:
            remove(container.id)
            num_removed += 1
    return num_removed


def remove(identity: str | None) -> None:
    """Kill and remove the container ``identity``; do nothing if it is gone or if the engine is down."""
    with contextlib.suppress(SandboxError), engine() as client:
        client.api.remove_container(identity, force=True, v=True)


def _log(identity: str | None) -> str:
    with contextlib.suppress(SandboxError), engine() as client:
        return str(client.api.logs(identity, tail=20).decode(errors="replace").strip())
    return ""


def _accept(listener: socket.socket, container: Any, nonce: str) -> socket.socket:
    """Wait for the connection of a box."""
    deadline = time.monotonic() + START_SECONDS
    listener.settimeout(0.5)
    while True:
        try:
            connection, _ = listener.accept()
        except TimeoutError:
            container.reload()  # raises if the container has ended, because it is removed then
            if time.monotonic() > deadline:
                log = _log(container.id)
                raise SandboxError(f"the container did not connect in {START_SECONDS:.0f} s; its log: {log}") from None
            continue
        try:
            _check_nonce(connection, nonce)
        except BaseException:
            connection.close()
            raise
        return connection


def _check_nonce(connection: socket.socket, nonce: str) -> None:
    """Check by the nonce that the other end is the box."""
    connection.settimeout(5)
    line = b""
    while not line.endswith(b"\n") and len(line) < 100:
        line += connection.recv(1) or b"\n"
    if not secrets.compare_digest(line.strip(), nonce.encode()):
        raise SandboxError("a stranger connected to the socket of a box")


def _start_time(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]
    except (OSError, IndexError):
        return ""


def _short(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}"[:300]
