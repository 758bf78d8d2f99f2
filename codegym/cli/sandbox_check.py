"""``codegym sandbox check``: the isolation that this host really gives, line by line."""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Iterable, Iterator
from contextlib import closing
from typing import Annotated, Any

import tyro
from rich.table import Table
from rich.text import Text

from codegym.cli.common import SANDBOX_HELP, errors, output
from codegym.cli.sandbox_probes import PROBE_LIMITS, PROBES, Finding, State, probe
from codegym.errors import SandboxError
from codegym.sandbox import cgroup
from codegym.sandbox.backends import open_sandbox
from codegym.sandbox.process import LEVELS, unavailable_reason

try:
    from codegym.sandbox import docker as back_end
except SandboxError:  # the extra is not installed
    back_end = None  # type: ignore[assignment]

_COLOURS = {"ok": "green", "weak": "yellow", "absent": "red"}
_LEVELS = {
    "root": "namespaces, users and control groups of the kernel",
    "user": "namespaces inside a user namespace; memory is sampled",
    "plain": "limits only: for programs that you wrote yourself",
}


def check(sandbox: Annotated[str, tyro.conf.arg(metavar="NAME", help=SANDBOX_HELP)] = "auto") -> int:
    """Show the isolation that this host gives, and measure it from inside with small programs.

    Each line is "ok", "weak" (it works, with the limitation that the line describes) or "absent". The exit status is 1
    if no sandbox can be opened, or if the one that was measured lacks something.

    Args:
        sandbox: Back end to measure.
    """
    _print("Host", _host())
    _print("Docker engine", _engine())
    _print("Process sandbox", _levels())
    try:
        with closing(open_sandbox(sandbox, PROBE_LIMITS, 1)) as opened:
            name = f"{type(opened).__name__} {getattr(opened, 'level', '')}".strip()
            findings = [probe(opened, each) for each in PROBES]
    except SandboxError as error:
        errors.print(str(error), style="red", markup=False, soft_wrap=True)
        return 1
    _print(f"Measured inside {name}", findings)
    return int(any(finding.state == "absent" for finding in findings))


def _print(title: str, findings: Iterable[Finding]) -> None:
    table = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
    for finding in findings:
        colour = _COLOURS[finding.state]
        found = Text(f"{finding.found}: {finding.meaning}")
        table.add_row(f"  [{colour}]{finding.state}[/]", finding.name, found)
    output.print(Text(title, style="bold"))
    output.print(table)


def _host() -> Iterator[Finding]:
    linux = sys.platform == "linux"
    meaning = "sandboxes need Linux and Python 3.11" if not linux else "programs run on this version of Python"
    found = f"{platform.system()} {platform.release()} {platform.machine()}, Python {platform.python_version()}"
    yield Finding("system", "ok" if linux else "absent", found, meaning)
    known = platform.machine() in ("x86_64", "aarch64")
    meaning = "the sandbox's own filter of system calls works" if known else "no own filter of system calls"
    yield Finding("processor", "ok" if known else "weak", f"{os.cpu_count()} cores", meaning)
    version, group = cgroup.version(), cgroup.ControlGroup.create(PROBE_LIMITS)
    found = f"version {version}, {'open' if group else 'closed'} to this user" if version else "not mounted"
    meaning = "the kernel limits memory of the process sandbox" if group else "memory of the process sandbox is sampled"
    if group:
        group.remove()
    yield Finding("control groups", "ok" if group else "weak", found, meaning)


def _engine() -> Iterator[Finding]:
    if back_end is None:
        yield Finding("engine", "absent", "the Docker SDK is not installed", "pip install 'codegym[docker]'")
        return
    try:
        with back_end.engine() as client:
            info = client.info()
    except SandboxError as error:
        yield Finding("engine", "absent", str(error), "the process sandbox is used")
        return
    yield Finding("engine", "ok", f"answers, version {info.get('ServerVersion')}", "the Docker sandbox can be used")
    yield from _engine_details(info)


def _engine_details(info: dict[str, Any]) -> Iterator[Finding]:
    options = [str(option) for option in info.get("SecurityOptions") or ()]
    rootless = any("rootless" in option for option in options)
    meaning = "a flaw of the engine gives no root" if rootless else "the engine has root: keep it up to date"
    yield Finding("rootless", "ok", "yes" if rootless else "no", meaning)
    version, driver = info.get("CgroupVersion", "1"), info.get("CgroupDriver", "none")
    limited = driver != "none" and bool(info.get("MemoryLimit")) and bool(info.get("PidsLimit"))
    meaning = "memory and processes are limited by the kernel" if limited else "memory and processes are not limited"
    yield Finding("control groups", "ok" if limited else "weak", f"version {version}, driver {driver}", meaning)
    storage = str(info.get("Driver"))
    meaning = "copies whole images: slow to build" if storage == "vfs" else "layers are shared"
    yield Finding("storage driver", "ok", storage, meaning)
    seccomp = next((option for option in options if "seccomp" in option), "")
    meaning = "below the sandbox's own filter" if seccomp else "only the sandbox's own filter of system calls"
    yield Finding("seccomp", "ok" if seccomp else "weak", seccomp.partition("profile=")[2] or seccomp or "no", meaning)
    runtimes = sorted(info.get("Runtimes") or ())
    gvisor = "runsc" in runtimes
    meaning = 'DockerSandbox(runtime="runsc") hides the kernel' if gvisor else "the kernel is shared with programs"
    yield Finding("runtimes", "ok", ", ".join(runtimes), meaning)


def _levels() -> Iterator[Finding]:
    """Try each level by starting a box; only one of them has to work."""
    for level in LEVELS:
        reason = unavailable_reason(level)
        works: State = "weak" if level == "plain" else "ok"
        yield Finding(f"level {level}", works if reason is None else "absent", reason or "works", _LEVELS[level])
