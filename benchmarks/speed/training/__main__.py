"""Speed of training, part by part.

    python -m benchmarks.speed.training --out training.json
    python -m benchmarks.speed.training --parts generation --models tiny --batch-sizes 64 256 --threads 1 --rounds 3
    python -m benchmarks.speed.training --parts end-to-end --end-to-end.iterations 5

Generation: contenders run one after the other in every round, in an order that rotates; a ratio is taken round by round
before its median, so a machine that gets busier in between does not favour anybody. The first round is not counted.
End to end: whole training runs with one thread, and what each stage takes of an iteration.
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
    """Settings of one run."""

    parts: tuple[Literal["generation", "end-to-end"], ...] = ("generation", "end-to-end")
    models: tuple[Literal["tiny", "100m"], ...] = ("tiny", "100m")
    """Of generation, as the three that follow."""
    batch_sizes: tuple[int, ...] = ()
    """Of every model; empty for each model's own: 64 and 256 for tiny, 32 for 100m."""
    threads: tuple[int, ...] = (1, 2)
    """Of PyTorch, all in this process."""
    rounds: int = 5
    end_to_end: end_to_end.EndToEndOptions = end_to_end.EndToEndOptions()  # noqa: RUF009 - a frozen record
    """Of the whole training runs."""
    out: Path | None = None


def main(config: TrainingOptions) -> None:
    """Measure, print, write what is there so far: a run is long."""
    console = Console(width=170)
    found: dict[str, Any] = {"load": os.getloadavg()[0], "torch": torch.__version__}
    if "generation" in config.parts:
        rows = []
        for row in measure_generation(config, console):
            rows.append(row)
            write(found | {"generation": [asdict(each) for each in rows]}, config.out)
        results.show(rows, found["load"], console)
        found["generation"] = [asdict(each) for each in rows]
    if "end-to-end" in config.parts:
        runs = []
        for run in end_to_end.measure_arms(config.end_to_end, console):
            runs.append(run)
            write(found | {"end_to_end": [asdict(each) for each in runs]}, config.out)
        shares.print_shares(runs, found["load"], console)


def measure_generation(config: TrainingOptions, console: Console) -> Iterator[generation.Measured]:
    """Measure every model at every size."""
    for num_threads in config.threads:
        torch.set_num_threads(num_threads)
        for name in config.models:
            for setting in generation.settings_of(MODELS[name], config.batch_sizes):
                console.print(f"{setting}, {num_threads} threads", style="dim")
                yield generation.measure(setting, num_threads, config.rounds)


def write(found: dict[str, Any], out: Path | None) -> None:
    """Keep what was found, in a file."""
    if out is not None:
        out.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(tyro.cli(TrainingOptions, description=__doc__))
