"""``codegym sandbox`` ``build``, ``clean`` and ``bench``."""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from rich.table import Table

from codegym.cli.common import errors, output
from codegym.errors import SandboxError, SandboxUnavailable
from codegym.sandbox import cgroup
from codegym.sandbox.backends import BACKENDS, open_sandbox
from codegym.sandbox.base import Limits, Request, Sandbox, ScriptJob

try:
    from codegym.sandbox import docker as back_end
    from codegym.sandbox import image
except SandboxError:  # the extra is not installed
    back_end = image = None  # type: ignore[assignment]
if TYPE_CHECKING:
    from docker import DockerClient

Strategy = Literal["auto", "registry", "host", "debootstrap"]
_TRIVIAL = Request("print(int(input()) + 1)", ScriptJob(("1",)))


def build(packages: tuple[str, ...] = (), base: str | None = None, strategy: Strategy = "auto") -> int:
    """Build the image of the Docker sandbox. This also works without a registry and without a network.

    Try:
        codegym sandbox build
        codegym sandbox build --packages numpy sortedcontainers
        codegym sandbox build --strategy host           the interpreter of this host, copied

    Programs use the packages with: codegym judge ... --packages numpy sortedcontainers

    Args:
        packages: Packages that programs may import beyond the standard library, as requirements of pip.
        base: Image with a Python to start from, instead of the official one.
        strategy: Source of the Python interpreter. The default "auto" takes the first one that works.
    """
    with _engine() as client:
        tag = image.build_image(
            client,
            base=base,
            packages=packages,
            strategy=strategy,
            progress=lambda text: errors.print(text, markup=False),
        )
    output.print(tag)
    return 0


def clean(everything: bool = False) -> int:
    """Remove leftovers of earlier runs: containers and control groups of ended processes, and images without a name.

    Args:
        everything: Also remove containers of processes that still run, and all images that were made here.
    """
    output.print(f"{_remove_control_groups()} control groups removed")
    with _engine() as client:
        output.print(f"{back_end.sweep(client, everything=everything)} containers removed")
        removed = image.remove_images(client) if everything else image.remove_nameless_images(client)
        output.print(f"{len(removed)} images removed: {', '.join(removed)}" if removed else "0 images removed")
    return 0


def bench(programs: int = 400, workers: int | None = None) -> int:
    """Time a trivial program on every back end that works here, in some seconds.

    Throughput is that of all workers together, with requests queued; latency is that of one request at a time.

    Args:
        programs: Number of programs for the throughput. A quarter of them is run again for the latency.
        workers: Number of programs that run at the same time. By default one for each core.

    Raises:
        ValueError: The number of programs is too small.
    """
    if programs < 20:
        raise ValueError(f"too few programs: got --programs {programs}; expected at least 20")
    table = Table("sandbox", title="A trivial program")
    for name in ("workers", "programs/s", "p50 ms", "p95 ms", "start s"):
        table.add_column(name, justify="right")
    for name in BACKENDS:
        try:
            table.add_row(*_time(lambda name=name: open_sandbox(name, Limits(), workers), name, programs))  # type: ignore[misc]
        except SandboxError as error:
            errors.print(f"{name}: {error}", markup=False, highlight=False)
    output.print(table)
    return 0 if table.row_count else 1


def _time(make: Callable[[], Sandbox], name: str, num_programs: int) -> tuple[str, ...]:
    started = time.perf_counter()
    with make() as sandbox:
        ready = time.perf_counter()
        for _ in range(4 * sandbox.num_workers):  # every worker has had its first
            sandbox.submit(_TRIVIAL).result()
        rate = num_programs / _seconds(sandbox, num_programs)
        latencies = sorted(_seconds(sandbox, 1) for _ in range(num_programs // 4))
    cuts = statistics.quantiles(latencies, n=20)
    level = f" ({sandbox.level})" if hasattr(sandbox, "level") else ""
    milliseconds = (f"{1000 * cut:.2f}" for cut in (cuts[9], cuts[18]))
    return name + level, str(sandbox.num_workers), f"{rate:,.0f}", *milliseconds, f"{ready - started:.2f}"


def _seconds(sandbox: Sandbox, num_programs: int) -> float:
    started = time.perf_counter()
    for future in [sandbox.submit(_TRIVIAL) for _ in range(num_programs)]:
        future.result()
    return time.perf_counter() - started


@contextmanager
def _engine() -> Iterator[DockerClient]:
    if back_end is None:
        raise SandboxUnavailable("the Docker SDK is not installed (pip install 'codegym[docker]')")
    with back_end.engine() as client:
        yield client


def _remove_control_groups() -> int:
    """Remove control groups of box processes whose owner was killed, and return their number."""
    num_removed = 0
    for pattern in ("codegym-*", "memory/codegym-*", "pids/codegym-*"):
        for directory in cgroup.ROOT.glob(pattern):
            pid = directory.name.split("-")[1]
            if not Path("/proc", pid).exists():
                try:
                    os.rmdir(directory)
                    num_removed += 1
                except OSError:
                    errors.print(f"{directory} is in use or not ours to remove", markup=False)
    return num_removed
