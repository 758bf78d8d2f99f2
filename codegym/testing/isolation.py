"""Contract of isolation: what a program cannot reach, and what it cannot leave behind."""

from __future__ import annotations

import os
import secrets
import socket
from collections.abc import Iterator
from contextlib import contextmanager

from codegym.sandbox.base import ExitReason, Sandbox
from codegym.testing.programs import CONTRACT_LIMITS, expect_equal, printed, require, run

_PLACES = "import os, tempfile\nplaces = {tempfile.gettempdir(), '/tmp', '/dev/shm', os.getcwd()}\n"
_LEAVE = """
for place in places:
    try: open(os.path.join(place, MARK), "w").close()
    except OSError: pass
"""
_FIND = "print(any(os.path.exists(os.path.join(place, MARK)) for place in places))\n"
_COUNT = "import os\nprint(sum(name.isdigit() for name in os.listdir('/proc')))"
_DAEMON = """
import signal, time
if not os.fork():
    os.setsid()
    for number in range(1, 64):
        try: signal.signal(number, signal.SIG_IGN)
        except (OSError, ValueError): pass
    if not os.fork():
        end = time.monotonic() + 30
        while time.monotonic() < end:
            for place in places:
                try: open(os.path.join(place, MARK), "w").close()
                except OSError: pass
            time.sleep(0.01)
    os._exit(0)
time.sleep(0.1)
print("left")
"""
_SIGNAL = """
import os
own = os.getpid()
for pid in {int(name) for name in os.listdir("/proc") if name.isdigit()} | {os.getppid(), 1}:
    if pid not in (0, own):
        try: print("reached", pid, os.kill(pid, 0))
        except OSError: pass
print("group", os.getpgrp() != 0)
"""
_FORKS = """
import os, time
children = []
try:
    for _ in range(200):
        if not (pid := os.fork()):
            time.sleep(2)
            os._exit(0)
        children.append(pid)
except OSError:
    pass
print(len(children))
"""
_FILL = """
import os, tempfile
written = 0
try:
    for number in range(8):
        with open(os.path.join(tempfile.gettempdir(), str(number)), "wb") as file:
            for _ in range(8):
                file.write(bytes(1 << 20))
                file.flush()
                written += 1
except OSError:
    pass
print(written)
"""
HOSTILE = (
    "import builtins, sys, json\nbuiltins.print = builtins.sum = lambda *_, **__: None\njson.dumps = sys.exit = None",
    "import os\nfor number in range(3, 64):\n    try: os.write(number, b'[\"value\", 7]\\n' * 99), os.close(number)\n"
    "    except OSError: pass",
    "import os, time\nfor _ in range(6):\n    try: os.fork()\n    except OSError: pass\ntime.sleep(1)",
    "x = [bytearray(b'x' * (1 << 20)) for _ in range(500)]",
    "for _ in range(50): print('x' * (1 << 20))",
    "import sys\nsys.setrecursionlimit(10 ** 6)\ndef f(n): return n and f(n - 1)\nf(10 ** 6)",
    "import os, resource\nos.closerange(0, 64)\nresource.setrlimit(resource.RLIMIT_NOFILE, (0, 0))\nos.abort()",
)
"""Programs that attack their surroundings, bounded so that even a back end without any isolation survives them."""
_HONEST = "import json, sys\nprint(json.dumps([sum([1, 2]), sorted(map(str, range(3))), hash('x')]))"


def each_worker(sandbox: Sandbox) -> Iterator[int]:
    """Yield the numbers of rounds after which every worker of the ``sandbox`` has very likely run a program."""
    yield from range(2 * sandbox.num_workers)


def network_is_out_of_reach(sandbox: Sandbox) -> None:
    """Neither a server on the host nor one outside can be reached, over IP or an abstract socket."""
    with (
        _server(socket.AF_INET, ("127.0.0.1", 0)) as address,
        _server(socket.AF_UNIX, f"\0{secrets.token_hex(8)}") as name,
    ):
        targets = [("AF_INET", "SOCK_STREAM", address), ("AF_UNIX", "SOCK_STREAM", name)]
        targets += [("AF_INET", kind, ("192.0.2.1", 53)) for kind in ("SOCK_STREAM", "SOCK_DGRAM")]
        source = f"""
            import socket
            for family, kind, address in {targets!r}:
                try:
                    with socket.socket(getattr(socket, family), getattr(socket, kind)) as connection:
                        connection.settimeout(0.3)
                        connection.connect(address)
                        print("reached", address)
                except OSError:
                    pass
            print("tried")
        """
        expect_equal("what was reached", printed(sandbox, source), "tried\n")


@contextmanager
def _server(family: socket.AddressFamily, address: tuple[str, int] | str) -> Iterator[object]:
    """Listen on the host; yield the address that a program has to try."""
    with socket.socket(family) as listener:
        listener.bind(address)
        listener.listen()
        yield listener.getsockname()


def environment_is_the_sandboxes_own(sandbox: Sandbox) -> None:
    """No variable of this process reaches a program."""
    name = f"CODEGYM_CONTRACT_{secrets.token_hex(4)}".upper()
    os.environ[name] = "secret"
    try:
        expect_equal("variable of the host", printed(sandbox, f"import os\nprint(os.environ.get({name!r}))"), "None\n")
    finally:
        del os.environ[name]


def temporary_directory_is_fresh(sandbox: Sandbox) -> None:
    """Files of one program are removed before the next one starts, and the directory is writable."""
    head = f"MARK = {secrets.token_hex(8)!r}\n{_PLACES}"
    for _ in each_worker(sandbox):
        run(sandbox, head + _LEAVE)
    for _ in each_worker(sandbox):
        expect_equal("a file of another program is there", printed(sandbox, head + _FIND), "False\n")
    kept = "import tempfile\nwith tempfile.TemporaryFile() as file:\n    print(file.write(b'ten bytes.'))"
    expect_equal("bytes written to a temporary file", printed(sandbox, kept), "10\n")


def nothing_survives(sandbox: Sandbox) -> None:
    """A daemon ends with its program: it neither delays the program nor exists or writes files beside the next one."""
    head = f"MARK = {secrets.token_hex(8)!r}\n{_PLACES}"
    before = max(_number(printed(sandbox, _COUNT)) for _ in each_worker(sandbox))
    require("the program sees itself", before > 0)
    for _ in each_worker(sandbox):
        seen = run(sandbox, head + _DAEMON)
        expect_equal("a program that leaves a daemon", (seen.ended, seen.stdout), (ExitReason.EXITED, b"left\n"))
        require("it is not waited for", seen.wall_seconds < CONTRACT_LIMITS.wall_seconds, seen.wall_seconds)
    for _ in each_worker(sandbox):
        now = _number(printed(sandbox, _COUNT))
        require("processes in sight after daemons", now <= before, f"{now}, before there were {before}")
        expect_equal("file of a daemon", printed(sandbox, "import time\ntime.sleep(0.1)\n" + head + _FIND), "False\n")


def signals_reach_nothing_else(sandbox: Sandbox) -> None:
    """A program can signal no process but its own, and its process group has no invisible members."""
    expect_equal("processes that take signals", printed(sandbox, _SIGNAL), "group True\n")


def processes_are_limited(sandbox: Sandbox) -> None:
    """A program can start some processes, but no more than its limit."""
    seen = run(sandbox, _FORKS)
    count = _number(seen.stdout.decode())
    require("processes that one program started", 4 <= count <= CONTRACT_LIMITS.processes, f"{count}, {seen}")


def temporary_space_is_limited(sandbox: Sandbox) -> None:
    """All files together, and a single one, can have at least half of the limit and no more than the limit."""
    seen = run(sandbox, _FILL)
    written, limit = _number(seen.stdout.decode()), CONTRACT_LIMITS.temp_mb
    require("MiB in temporary files", limit // 2 <= written <= limit, f"{written} of {limit}, {seen}")


def hostile_programs_change_nothing(sandbox: Sandbox) -> None:
    """After programs that attack their surroundings, an honest one still has the same output."""
    before = printed(sandbox, _HONEST)
    require("an honest program prints its answer", before.startswith('[3, ["0", "1", "2"], '), before)
    for source in HOSTILE:
        run(sandbox, source)
        expect_equal(f"an honest program after {source[:60]!r}...", printed(sandbox, _HONEST), before)


def _number(text: str) -> int:
    return int(text) if text.strip().isdigit() else -1


CHECKS = (
    network_is_out_of_reach,
    environment_is_the_sandboxes_own,
    temporary_directory_is_fresh,
    nothing_survives,
    signals_reach_nothing_else,
    processes_are_limited,
    temporary_space_is_limited,
    hostile_programs_change_nothing,
)
