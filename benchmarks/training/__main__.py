"""Speed of training, part by part.

    python -m benchmarks.training --out training.json
    python -m benchmarks.training --models tiny --batch-sizes 64 256 --threads 1 --rounds 3

Contenders run one after the other in every round, in an order that rotates; a ratio is taken round by round before its
median, so a machine that gets busier in between does not favour anybody. The first round is not counted.
"""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

import torch
import tyro
from rich.console import Console

from benchmarks.training import generation
from benchmarks.training.results import show
from benchmarks.training.settings import MODELS


@dataclass(frozen=True)
class Config:
    """Settings of one run."""

    models: tuple[Literal["tiny", "100m"], ...] = ("tiny", "100m")
    batch_sizes: tuple[int, ...] = ()
    """Of every model; empty for each model's own: 64 and 256 for tiny, 32 for 100m."""
    threads: tuple[int, ...] = (1, 2)
    """Of PyTorch, all in this process."""
    rounds: int = 5
    out: Path | None = None


def main(config: Config) -> None:
    """Measure, print, write."""
    console = Console()
    load = os.getloadavg()[0]
    found = []
    for num_threads in config.threads:
        torch.set_num_threads(num_threads)
        for name in config.models:
            for setting in generation.settings_of(MODELS[name], config.batch_sizes):
                console.print(f"{setting}, {num_threads} threads", style="dim")
                found.append(generation.measure(setting, num_threads, config.rounds))
                write(found, load, config.out)
    show(found, load, console)


def write(found: list[generation.Measured], load: float, out: Path | None) -> None:
    """Keep what is there so far: a run is long."""
    if out is not None:
        content = {"load": load, "torch": torch.__version__, "generation": [asdict(each) for each in found]}
        out.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(tyro.cli(Config, description=__doc__))
