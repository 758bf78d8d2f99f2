"""Small programs that measure a sandbox from inside, through its public protocol only."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from textwrap import dedent
from typing import Any, Literal

from codegym.sandbox.base import ExitReason, Limits, Request, Run, Sandbox, ScriptJob
from codegym.sandbox.process import ENVIRONMENT

State = Literal["ok", "weak", "absent"]
PROBE_LIMITS = Limits(cpu_seconds=5, wall_seconds=10, memory_mb=256, processes=16, output_mb=1, temp_mb=16)


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the measurements."""

    name: str
    """Name of the line: "memory limit"."""
    state: State
    """Whether the isolation is there."""
    found: str
    """Result of the measurement."""
    meaning: str
    """Consequence for the user."""


@dataclass(frozen=True, slots=True)
class Probe:
    """A program that prints JSON, and a function that interprets it.

    Args:
        name: Name of the line.
        source: Source of the program.
        read: Makes state, result and meaning of the printed value (None if a limit ended the program) and the run.
    """

    name: str
    source: str
    read: Callable[[Any, Run], tuple[State, str, str]]


def probe(sandbox: Sandbox, wanted: Probe) -> Finding:
    """Run a probe and return its line.

    Args:
        sandbox: Open sandbox to measure.
        wanted: Probe to run.
    """
    request = Request("import json, os\n" + dedent(wanted.source), ScriptJob(("",)), replace(PROBE_LIMITS))
    run = sandbox.submit(request).result().runs[0]
    if run.error is not None and run.ended is ExitReason.EXITED and run.error.type != "MemoryError":
        return Finding(wanted.name, "weak", f"{run.error.type}: {run.error.message}", "could not be measured")
    try:
        printed = json.loads(run.stdout or b"null")
    except ValueError:
        printed = None
    return Finding(wanted.name, *wanted.read(printed, run))


def _uid(found: Any, _: Run) -> tuple[State, str, str]:
    uid, outside = found
    if uid:
        return "ok", f"{uid}", "programs have an unprivileged user"
    if outside:
        return "weak", f"0, which is {outside} outside", "programs have the user that runs the sandbox, in a namespace"
    return "absent", "0", "programs are root"


def _capabilities(status: Any, _: Run) -> tuple[State, str, str]:
    none = int(status["CapEff"], 16) == 0
    return (
        "ok" if none else "absent",
        status["CapEff"],
        "no privilege of root is left" if none else "privileges of root",
    )


def _privileges(status: Any, _: Run) -> tuple[State, str, str]:
    locked = status["NoNewPrivs"] == "1"
    return (
        "ok" if locked else "weak",
        "locked" if locked else "open",
        "set-uid programs give nothing" if locked else "they do",
    )


def _seccomp(status: Any, _: Run) -> tuple[State, str, str]:
    filtered = status["Seccomp"] == "2"
    found = f"{status.get('Seccomp_filters', '1')} filters" if filtered else "none"
    return "ok" if filtered else "weak", found, "of system calls" if filtered else "every system call can be tried"


def _network(reached: Any, _: Run) -> tuple[State, str, str]:
    interfaces, routes = reached
    if routes:
        return "absent", f"{', '.join(interfaces)}; {', '.join(routes)}", "programs can reach other machines"
    return "ok", ", ".join(interfaces) or "no interface", "nothing can be reached"


def _root(places: Any, _: Run) -> tuple[State, str, str]:
    return (
        ("absent", ", ".join(places), "can be written to") if places else ("ok", "read-only", "nothing can be changed")
    )


def _processes(pids: Any, _: Run) -> tuple[State, str, str]:
    few = len(pids) <= 6
    return "ok" if few else "absent", f"{len(pids)} in sight", "of the box only" if few else "processes of the host too"


def _signals(pids: Any, _: Run) -> tuple[State, str, str]:
    if pids:
        return "absent", f"reach {len(pids)} other processes", "programs can end the server: it costs verdicts"
    return "ok", "reach no other process", "a program can end only itself"


def _memory(_: Any, run: Run) -> tuple[State, str, str]:
    limit = f"{PROBE_LIMITS.memory_mb} MiB for a process tree"
    if run.ended is ExitReason.MEMORY or (run.error is not None and run.error.type == "MemoryError"):
        return "ok", limit, "kept"
    return "absent", limit, "not kept: a program can use up the host's memory"


def _pids(count: Any, run: Run) -> tuple[State, str, str]:
    if count is not None and count <= PROBE_LIMITS.processes:
        return "ok", f"{count} of {PROBE_LIMITS.processes} processes", "a fork bomb ends there"
    if run.ended is ExitReason.MEMORY:
        return "weak", f"more than {PROBE_LIMITS.processes} processes", "only the memory limit ends a fork bomb"
    return "absent", f"{count} processes", f"the limit of {PROBE_LIMITS.processes} is not kept"


def _space(written: Any, _: Run) -> tuple[State, str, str]:
    kept = written is not None and written <= PROBE_LIMITS.temp_mb
    found = f"{written} of {PROBE_LIMITS.temp_mb} MiB"
    return ("ok", found, "and emptied after each program") if kept else ("absent", found, "programs can fill the disk")


def _ptrace(result: Any, _: Run) -> tuple[State, str, str]:
    return ("ok", "refused", "no program looks into another") if result else ("weak", "allowed", "among own processes")


def _environment(names: Any, _: Run) -> tuple[State, str, str]:
    foreign = sorted(set(names) - set(ENVIRONMENT) - {"TMPDIR", "LC_CTYPE", "HOSTNAME", "PWD"})
    if foreign:
        return "absent", ", ".join(foreign), "variables of the host: keys may be among them"
    return "ok", f"{len(names)} variables", "none of the host's"


_USER = """
    inside, outside, count = open("/proc/self/uid_map").read().split()[:3]
    print(json.dumps([os.getuid(), f"user {outside}" if count == "1" else ""]))
"""
_STATUS = """
    with open("/proc/self/status") as file:
        print(json.dumps(dict(line.rstrip("\\n").split(":\\t", 1) for line in file)))
"""
_NETWORK = """
    import socket
    try: interfaces = [name for _, name in socket.if_nameindex()]
    except OSError: interfaces = []
    routes = []
    for family, address in ((socket.AF_INET, "192.0.2.1"), (socket.AF_INET6, "2001:db8::1")):
        try:
            with socket.socket(family, socket.SOCK_DGRAM) as trial:
                trial.connect((address, 53))  # sends nothing, but needs a way there
                routes.append("a route for IPv" + "46"[family == socket.AF_INET6])
        except OSError: pass
    print(json.dumps([interfaces, routes]))
"""
_ROOT = """
    places = []
    standard_library = os.path.dirname(os.__file__)
    for place in ("/", "/usr", "/etc", "/bin", "/var", "/home", "/root", "/proc/sys/kernel", standard_library):
        path = os.path.join(place, "codegym-probe")
        try:
            os.close(os.open(path, os.O_CREAT | os.O_WRONLY))
            os.unlink(path)
            places.append(place)
        except OSError: pass
    print(json.dumps(places))
"""
_PIDS = "pids = [int(name) for name in os.listdir('/proc') if name.isdigit()]\n"
_SIGNALS = """
reached = []
for pid in {*pids, os.getppid()} - {0, os.getpid()}:
    try: os.kill(pid, 0), reached.append(pid)
    except OSError: pass
print(json.dumps(reached))
"""
_MEMORY = f"""
    import time
    for _ in range(4):
        if not os.fork():
            held = bytearray(b"x" * ({PROBE_LIMITS.memory_mb // 2} << 20))
            time.sleep(5)
            os._exit(0)
    time.sleep(5)
"""
_FORKS = """
    import time
    count = 0
    try:
        while count < 100:
            if not os.fork():
                time.sleep(3)
                os._exit(0)
            count += 1
    except OSError: pass
    print(count)
"""
_SPACE = """
    import tempfile
    written = 0
    try:
        for number in range(8):
            with open(os.path.join(tempfile.gettempdir(), str(number)), "wb", buffering=0) as file:
                for _ in range(8):
                    written += file.write(bytes(1 << 20)) >> 20
    except OSError: pass
    print(written)
"""
_PTRACE = "import ctypes\nprint(json.dumps(ctypes.CDLL(None).ptrace(0, 0, None, None) != 0))"

PROBES = (
    Probe("user", _USER, _uid),
    Probe("capabilities", _STATUS, _capabilities),
    Probe("new privileges", _STATUS, _privileges),
    Probe("system call filter", _STATUS, _seccomp),
    Probe("network", _NETWORK, _network),
    Probe("file system", _ROOT, _root),
    Probe("processes", _PIDS + "print(pids)", _processes),
    Probe("signals", _PIDS + _SIGNALS, _signals),
    Probe("ptrace", _PTRACE, _ptrace),
    Probe("memory limit", _MEMORY, _memory),
    Probe("process limit", _FORKS, _pids),
    Probe("temporary space", _SPACE, _space),
    Probe("environment", "print(json.dumps(sorted(os.environ)))", _environment),
)
