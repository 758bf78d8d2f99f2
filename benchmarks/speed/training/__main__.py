"""Speed of training, part by part.

    python -m benchmarks.speed.training --out training.json
    python -m benchmarks.speed.training --parts generation --models tiny --batch-sizes 64 256 --threads 1 --rounds 3
    python -m benchmarks.speed.training --parts end-to-end --end-to-end.iterations 5

Generation: contenders run one after the other in every round, in rotating order. A ratio is taken round by round before
its median, so that a machine that becomes busier favors neither side. The first round is not counted.
End to end: whole training runs with one thread, and the share of each stage in an iteration.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import torch
import tyro
from rich.console import Console

from benchmarks.speed.training import end_to_end, generation, results, shares
from benchmarks.speed.training.settings import MODELS


@dataclass(frozen=True)
class TrainingOptions:
    """Options of the training measurements."""

    parts: tuple[Literal["generation", "end-to-end"], ...] = ("generation", "end-to-end")
    """Measurements to run."""
    models: tuple[Literal["tiny", "100m"], ...] = ("tiny", "100m")
    """Models whose generation is measured."""
    batch_sizes: tuple[int, ...] = ()
    """Batch sizes of every model. Default: 64 and 256 for tiny, 32 for 100m."""
    threads: tuple[int, ...] = (1, 2)
    """Numbers of threads of PyTorch, one after the other in this process."""
    rounds: int = 5
    """Rounds of measurement."""
    end_to_end: end_to_end.EndToEndOptions = end_to_end.EndToEndOptions()  # noqa: RUF009 - a frozen record
    """Options of the whole training runs."""
    out: Path | None = None
    """File for the results as JSON."""


def main(options: TrainingOptions) -> None:
    """Measure and print, and write each result at once, since a run is long."""
    console = Console(width=170)
    found: dict[str, Any] = {"load": os.getloadavg()[0], "torch": torch.__version__}
    if "generation" in options.parts:
        rows = []
        for row in measure_generation(options, console):
            rows.append(row)
            write(found | {"generation": [asdict(each) for each in rows]}, options.out)
        results.print_generation(rows, found["load"], console)
        found["generation"] = [asdict(each) for each in rows]
    if "end-to-end" in options.parts:
        runs = []
        for run in end_to_end.measure_arms(options.end_to_end, console):
            runs.append(run)
            write(found | {"end_to_end": [asdict(each) for each in runs]}, options.out)
        shares.print_shares(runs, found["load"], console)


def measure_generation(options: TrainingOptions, console: Console) -> Iterator[generation.GenerationTimes]:
    """Measure every model at every size.

    Args:
        options: Options of the measurements.
        console: Console for messages.
    """
    for num_threads in options.threads:
        torch.set_num_threads(num_threads)
        for name in options.models:
            for row in generation.generation_rows(MODELS[name], options.batch_sizes):
                console.print(f"{row}, {num_threads} threads", style="dim")
                yield generation.measure_row(row, num_threads, options.rounds)


def write(found: dict[str, Any], out: Path | None) -> None:
    """Write results to a file, if one is named.

    Args:
        found: Results so far.
        out: The file.
    """
    if out is not None:
        out.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(tyro.cli(TrainingOptions, description=__doc__))
