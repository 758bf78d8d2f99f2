"""How much does a critic know before its policy has learnt anything? Explained variance against Monte-Carlo values.

    python -m benchmarks.experiments.critics --policy runs/cache/supervised-... --prm .../prm \
        --value-model .../value_model

The three folders are those of ``python -m benchmarks.lab --full``. A state is the prompt or a line end of a
program that the policy wrote, and its truth the share of ``completions`` programs that pass of those that the policy
writes from there; noise is taken out (``agents.critics.monte_carlo``). A critic is calibrated by an affine map on the
first programs and measured on them; and on the next ones, after an update of its own, before the policy's first.
"""

from __future__ import annotations

import json
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import tyro
from rich.console import Console
from rich.table import Table

from agents import ppo
from benchmarks.lab.experiment import Cell
from benchmarks.lab.spread import Spread
from codegym.tasks.procedural import FAMILIES

MEASURE = "mc_explained_variance"


@dataclass(frozen=True)
class Options:
    """What is measured."""

    policy: Path
    """Folder of the policy."""
    prm: Path
    """Folder of the process reward model."""
    value_model: Path
    """Folder of the model of values."""
    family: str = "pipelines"
    horizons: tuple[int, ...] = (2, 3, 4)
    seeds: int = 3
    programs: int = 256
    """Programs an iteration."""
    states: int = 256
    completions: int = 32
    """Of each state."""
    sandbox: str = "auto"
    out: Path = Path("runs/critics")


def main(options: Options) -> None:
    """Measure each critic at each length with each seed, and print; what is finished is not done again."""
    torch.set_num_threads(1)
    starts = {
        "from scratch": ("none", None, 1e-3),
        "the PRM's weights": ("weights", options.prm, 1e-3),
        "the PRM's scores, distilled": ("distilled", options.prm, 1e-3),
        "a model of values": ("weights", options.value_model, 1e-3),
        "a model of values, smaller steps": ("weights", options.value_model, 1e-4),
    }
    rows = [
        {"horizon": horizon, "critic": name, "found": measure(options, horizon, *start, options.out / f"{horizon}-{n}")}
        for horizon in options.horizons
        for n, (name, start) in enumerate(starts.items())
    ]
    (options.out / "critics.json").write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")
    Console().print(table(rows))


def measure(
    options: Options, horizon: int, value_init: Any, scorer: Path | None, learning_rate: float, folder: Path
) -> list[tuple[float | None, float | None]]:
    """Explained variance at the start and just before the policy's first update, for each seed.

    None where no program passes: there is no variance to explain then.
    """
    found = []
    for seed in range(options.seeds):
        config = ppo.PPOConfig(
            policy=options.policy,
            out=folder / str(seed),
            line_scorer=None if scorer is None else str(scorer),
            value_init=value_init,
            sandbox=options.sandbox,
            num_iterations=2,
            batch_size=options.programs,
            max_tokens=Cell(horizon).max_tokens,
            critic_learning_rate=learning_rate,
            critic_epochs=2,
            mc_completions=options.completions,
            mc_states=options.states,
            seed=seed,
        )
        first, second = ppo.train(config, tasks=FAMILIES[options.family](horizon=horizon)).metrics()
        found.append((first.get(MEASURE), second.get(MEASURE)))
    return found


def table(rows: Sequence[dict[str, Any]]) -> Table:
    """A row for each critic at each length."""
    made = Table()
    for name in ("lines", "critic starts from", "calibrated", "before the policy's first update"):
        made.add_column(name, justify="left" if name.startswith("critic") else "right")
    for row in rows:
        shown = [_shown(values) for values in zip(*row["found"], strict=True)]
        made.add_row(str(row["horizon"]), row["critic"], *shown)
    return made


def _shown(values: Sequence[float | None]) -> str:
    known = [value for value in values if value is not None]
    return "none passed" if len(known) < len(values) else Spread.of(known, statistics.mean).show(".2f")


if __name__ == "__main__":
    main(tyro.cli(Options, description=__doc__))
