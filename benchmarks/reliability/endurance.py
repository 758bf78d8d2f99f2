"""Many executions on one pool: what grows, and what is left over.

    python -m benchmarks.reliability.endurance --programs 100000 --sandbox docker    # recycled as by default
    python -m benchmarks.reliability.endurance --programs 100000 --sandbox docker --recycle-after 0

Samples are taken while the boxes are idle. Exit status 1 where something grew, was left over or was judged wrong.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
import time
from collections import Counter
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import psutil
import tyro
from rich.console import Console
from rich.table import Table

from benchmarks.reliability.box_inspection import (
    all_boxes,
    files_inside,
    is_zombie,
    leftovers,
    own_temp_folder,
    stray_processes,
    wait_until_idle,
)
from benchmarks.reliability.known_programs import known_programs, open_backend
from codegym.judge import Judge
from codegym.sandbox import Limits

MIB = 1 << 20
ALLOWED_GROWTH = 0.05
SAMPLES = 100
LOOKS = 5
NEVER = 1 << 60


@dataclass(frozen=True)
class Config:
    """Settings of one run."""

    programs: int = 100_000
    sandbox: str = "docker"
    workers: int = 2
    recycle_after: int = 10_000
    """Programs after which a box is replaced; 0 is never, so that each one does all of its share."""
    out: Path | None = None
    """File for all samples as JSON."""


@dataclass(frozen=True, slots=True)
class Sample:
    """What was there at one moment, all boxes together or the largest of them."""

    done: int
    seconds: float
    wrong: int
    """Verdicts so far that were not the known one."""
    host_mb: float
    server_mb: float
    """Resident memory of the server that has most."""
    forker_mb: float
    host_descriptors: int
    box_descriptors: int
    """Of the process that has most."""
    host_processes: int
    """Below this process, without the boxes that it has to have."""
    box_processes: int
    """Of programs, in the boxes."""
    zombies: int
    files: int
    """In the writable folders of the boxes."""
    host_files: int
    """In the temporary folder on the host."""
    boxes: int


def take_sample(config: Config, folder: Path, done: int, seconds: float, wrong: int) -> Sample:
    """Look at everything, again where a box was being replaced meanwhile.

    Raises:
        psutil.NoSuchProcess: boxes ended under each of the looks.
    """
    for _ in range(LOOKS - 1):
        with contextlib.suppress(psutil.NoSuchProcess):
            return _look(config, folder, done, seconds, wrong)
    return _look(config, folder, done, seconds, wrong)


def _look(config: Config, folder: Path, done: int, seconds: float, wrong: int) -> Sample:
    boxes = all_boxes(config.sandbox, config.workers)
    wait_until_idle(boxes)
    below = psutil.Process().children(recursive=True)
    inside = [process for box in boxes for process in box.programs()]
    return Sample(
        done,
        seconds,
        wrong,
        psutil.Process().memory_info().rss / MIB,
        max((box.server.memory_info().rss for box in boxes), default=0) / MIB,
        max((box.forker.memory_info().rss for box in boxes), default=0) / MIB,
        psutil.Process().num_fds(),
        max((process.num_fds() for box in boxes for process in box.permanent_processes), default=0),
        len(stray_processes(boxes)),
        len(inside),
        sum(map(is_zombie, {*below, *inside})),
        sum(files_inside(box.server) for box in boxes),
        len(os.listdir(folder)),
        len(boxes),
    )


def run(config: Config, folder: Path, console: Console) -> tuple[list[Sample], list[str]]:
    """All samples and what was judged wrong."""
    samples, wrong = list[Sample](), list[str]()
    programs = known_programs(config.programs)
    batch = max(1, config.programs // SAMPLES)
    with open_backend(config.sandbox, Limits(), config.workers, config.recycle_after or NEVER) as sandbox:
        judge = Judge(sandbox, cache_size=0)
        started = time.monotonic()
        for first in range(0, config.programs, batch):
            some = [known for _, known in zip(range(min(batch, config.programs - first)), programs, strict=False)]
            for known, verdict in zip(some, judge.judge_all([(k.task, k.completion) for k in some]), strict=True):
                if verdict.status is not known.status:
                    wrong.append(f"{verdict.status} instead of {known.status}: {known.completion[-40:]!r}")
            samples.append(take_sample(config, folder, first + len(some), time.monotonic() - started, len(wrong)))
            if len(samples) % (SAMPLES // 10) == 0:
                console.print(f"{samples[-1].done:,} programs, {samples[-1].seconds:.0f} s", highlight=False)
    return samples, wrong


def show(samples: list[Sample], console: Console) -> None:
    table = Table(title="at each tenth, boxes idle")
    for name in Sample.__slots__:
        table.add_column(name.replace("_", " "), justify="right")
    step = max(1, len(samples) // 10)
    for sample in samples[step - 1 :: step]:
        table.add_row(
            *(f"{value:,.1f}" if isinstance(value, float) else f"{value:,}" for value in asdict(sample).values())
        )
    console.print(table)


def find_faults(samples: list[Sample], wrong: list[str], left: dict[str, int]) -> list[str]:
    """Everything that must not be; an empty list is a pass."""
    tenth = max(1, len(samples) // 10)
    first, later = samples[:tenth], samples[tenth:]
    faults = [f"{number} {name} left over after closing" for name, number in left.items() if number]
    for name in ("server_mb", "forker_mb", "host_mb"):
        before = max(getattr(sample, name) for sample in first)
        after = max(getattr(sample, name) for sample in later)
        if after > before * (1 + ALLOWED_GROWTH):
            faults.append(f"{name} grew from {before:.1f} to {after:.1f} ({after / before - 1:+.1%})")
    for name in ("host_descriptors", "box_descriptors"):
        before, after = first[-1], later[-1]
        if getattr(after, name) > getattr(before, name):
            faults.append(f"{name} grew from {getattr(before, name)} to {getattr(after, name)}")
    for name in ("host_processes", "box_processes", "zombies", "files"):
        if (most := max(getattr(sample, name) for sample in samples)) > 0:
            faults.append(f"up to {most} {name} while idle")
    return faults + [f"judged wrong: {text} ({count} times)" for text, count in Counter(wrong).most_common(5)]


def growth(samples: list[Sample], name: str) -> float:
    """Largest value after the first tenth against the largest in it."""
    tenth = max(1, len(samples) // 10)
    values = [getattr(sample, name) for sample in samples]
    return float(max(values[tenth:]) / max(values[:tenth]) - 1)


def main(config: Config) -> int:
    if config.programs < 2 * SAMPLES:
        raise SystemExit(f"--programs must be at least {2 * SAMPLES}, got {config.programs}")
    console = Console(width=170)
    with own_temp_folder() as folder:
        samples, wrong = run(config, folder, console)
        left = leftovers(folder, config.sandbox)
    show(samples, console)
    faults = find_faults(samples, wrong, left)
    rate = samples[-1].done / samples[-1].seconds
    grew = ", ".join(f"{name} {growth(samples, f'{name}_mb'):+.1%}" for name in ("server", "forker", "host"))
    console.print(f"{samples[-1].done:,} programs, {rate:.0f}/s; memory after the first tenth: {grew}", highlight=False)
    console.print(f"after closing: {left}", highlight=False)
    console.print(
        "\n".join(f"FAULT {fault}" for fault in faults) or "nothing grew, nothing is left over", highlight=False
    )
    if config.out is not None:
        data: dict[str, Any] = {"samples": [asdict(sample) for sample in samples], "left": left, "faults": faults}
        config.out.write_text(json.dumps(data, indent=1) + "\n")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main(tyro.cli(Config, description=__doc__)))
