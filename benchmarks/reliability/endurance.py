"""Judge many programs on one pool, and report what grows and what is left over.

    python -m benchmarks.reliability.endurance --programs 100000 --sandbox docker    # default recycling
    python -m benchmarks.reliability.endurance --programs 100000 --sandbox docker --recycle-after 0

Samples are taken while the boxes are idle. The exit status is 1 if something grew, was left over or was judged wrong.
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
ATTEMPTS = 5
NEVER = 1 << 60


@dataclass(frozen=True)
class EnduranceOptions:
    """Options of an endurance run."""

    programs: int = 100_000
    """Programs that are judged."""
    sandbox: str = "docker"
    """Sandbox back end."""
    workers: int = 2
    """Programs that run at the same time."""
    recycle_after: int = 10_000
    """Programs after which a box is replaced; 0 never replaces a box."""
    out: Path | None = None
    """File for all samples as JSON."""


@dataclass(frozen=True, slots=True)
class Sample:
    """State of the machine at one moment: sums over all boxes, or the largest value."""

    done: int
    seconds: float
    wrong: int
    """Verdicts so far that differ from the known one."""
    host_mb: float
    server_mb: float
    """Largest resident memory of a server, in MiB."""
    forker_mb: float
    host_descriptors: int
    box_descriptors: int
    """Largest number of open descriptors of a box process."""
    host_processes: int
    """Descendants of this process that no box needs."""
    box_processes: int
    """Processes of programs in the boxes."""
    zombies: int
    files: int
    """Entries in the writable folders of the boxes."""
    host_files: int
    """Entries in the temporary folder on the host."""
    boxes: int


def take_sample(options: EnduranceOptions, folder: Path, done: int, seconds: float, wrong: int) -> Sample:
    """Return a sample; repeat it if a box was being replaced meanwhile.

    Args:
        options: Options of the run.
        folder: Temporary folder of the run.
        done: Programs judged so far.
        seconds: Time since the start.
        wrong: Wrong verdicts so far.

    Raises:
        psutil.NoSuchProcess: Boxes ended during every attempt.
    """
    for _ in range(ATTEMPTS - 1):
        with contextlib.suppress(psutil.NoSuchProcess):
            return _inspect(options, folder, done, seconds, wrong)
    return _inspect(options, folder, done, seconds, wrong)


def _inspect(options: EnduranceOptions, folder: Path, done: int, seconds: float, wrong: int) -> Sample:
    boxes = all_boxes(options.sandbox, options.workers)
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


def judge_all_programs(options: EnduranceOptions, folder: Path, console: Console) -> tuple[list[Sample], list[str]]:
    """Judge all programs and return the samples and the wrong verdicts.

    Args:
        options: Options of the run.
        folder: Temporary folder of the run.
        console: Console for progress.
    """
    samples, wrong = list[Sample](), list[str]()
    programs = known_programs(options.programs)
    batch = max(1, options.programs // SAMPLES)
    with open_backend(options.sandbox, Limits(), options.workers, options.recycle_after or NEVER) as sandbox:
        judge = Judge(sandbox, cache_size=0)
        started = time.monotonic()
        for first in range(0, options.programs, batch):
            some = [known for _, known in zip(range(min(batch, options.programs - first)), programs, strict=False)]
            for known, verdict in zip(some, judge.judge_all([(k.task, k.completion) for k in some]), strict=True):
                if verdict.status is not known.status:
                    wrong.append(f"{verdict.status} instead of {known.status}: {known.completion[-40:]!r}")
            samples.append(take_sample(options, folder, first + len(some), time.monotonic() - started, len(wrong)))
            if len(samples) % (SAMPLES // 10) == 0:
                console.print(f"{samples[-1].done:,} programs, {samples[-1].seconds:.0f} s", highlight=False)
    return samples, wrong


def print_samples(samples: list[Sample], console: Console) -> None:
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
    """Return a sentence for every fault; an empty list is a pass.

    Args:
        samples: Samples of the run.
        wrong: Wrong verdicts.
        left: Name -> number of things left over after closing.
    """
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
    """Return the growth of the largest value after the first tenth over the largest in it, as a share.

    Args:
        samples: Samples of the run.
        name: Field of the samples.
    """
    tenth = max(1, len(samples) // 10)
    values = [getattr(sample, name) for sample in samples]
    return float(max(values[tenth:]) / max(values[:tenth]) - 1)


def main(options: EnduranceOptions) -> int:
    if options.programs < 2 * SAMPLES:
        raise SystemExit(f"--programs must be at least {2 * SAMPLES}, got {options.programs}")
    console = Console(width=170)
    with own_temp_folder() as folder:
        samples, wrong = judge_all_programs(options, folder, console)
        left = leftovers(folder, options.sandbox)
    print_samples(samples, console)
    faults = find_faults(samples, wrong, left)
    rate = samples[-1].done / samples[-1].seconds
    grew = ", ".join(f"{name} {growth(samples, f'{name}_mb'):+.1%}" for name in ("server", "forker", "host"))
    console.print(f"{samples[-1].done:,} programs, {rate:.0f}/s; memory after the first tenth: {grew}", highlight=False)
    console.print(f"after closing: {left}", highlight=False)
    console.print(
        "\n".join(f"FAULT {fault}" for fault in faults) or "nothing grew, nothing is left over", highlight=False
    )
    if options.out is not None:
        data: dict[str, Any] = {"samples": [asdict(sample) for sample in samples], "left": left, "faults": faults}
        options.out.write_text(json.dumps(data, indent=1) + "\n")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main(tyro.cli(EnduranceOptions, description=__doc__)))
