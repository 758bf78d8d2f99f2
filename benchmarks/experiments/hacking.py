"""Is the dense reward hacked when it is optimised for long? 1,000 updates, and what the programs look like on the way.

    python -m benchmarks.experiments.hacking --policy runs/cache/supervised-... --prm runs/map/prm

A policy that pleases the process reward model without solving tasks writes comments, blank lines, more lines or fewer.
So each hundred updates the share of neutral lines, the number of lines and the true pass rate on unseen tasks are set
beside those of the gold solutions.
"""

from __future__ import annotations

import json
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import tyro
from rich.console import Console
from rich.table import Table

from agents import ppo
from agents.common.evaluate import sample_programs
from agents.generation.generate import Sampling
from agents.policies.causal import Policy
from agents.seeding import numpy_generator, torch_generator
from benchmarks.lab.experiment import Cell
from codegym import Judge
from codegym.sandbox import open_sandbox
from codegym.scorers.prm.model import ProcessRewardModel
from codegym.syntax.lines import LineKind, line_kinds
from codegym.tasks.procedural import FAMILIES


@dataclass(frozen=True)
class Options:
    """What is optimised, and how long."""

    policy: Path
    """Folder of the policy to start from."""
    prm: Path
    """Folder of the process reward model."""
    family: str = "pipelines"
    horizon: int = 4
    reward: str = "outcome + progress"
    updates: int = 1_000
    """Iterations, each with several gradient steps on programs of its own."""
    every: int = 100
    """Updates from one look at the programs to the next."""
    programs: int = 64
    """Programs an update."""
    learning_rate: float = 1e-4
    eval_programs: int = 256
    sandbox: str = "auto"
    out: Path = Path("runs/hacking")


def main(options: Options) -> None:
    """Train on, look, print; what is finished is not done again."""
    torch.set_num_threads(1)
    console, file = Console(), options.out / "rows.json"
    options.out.mkdir(parents=True, exist_ok=True)
    rows: list[dict[str, float]] = json.loads(file.read_text("utf-8")) if file.exists() else []
    if not rows:
        rows = [look(options, options.policy, 0)]
    while rows[-1]["updates"] < options.updates:
        updates = int(rows[-1]["updates"]) + options.every
        rows.append(look(options, train(options, updates), updates))
        file.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")
        console.print(f"{updates} updates: pass rate {rows[-1]['pass_rate']:.3f}", highlight=False)
    console.print(table(rows, gold(options)))


def train(options: Options, updates: int) -> Path:
    """Train up to so many updates; gives the folder of the policy."""
    config = ppo.PPOConfig(
        policy=options.policy,
        out=options.out / "run",
        reward=options.reward,
        sandbox=options.sandbox,
        num_iterations=updates,
        batch_size=options.programs,
        max_tokens=Cell(options.horizon).max_tokens,
        learning_rate=options.learning_rate,
        critic_epochs=2,
        checkpoint_every=50,
    )
    family = FAMILIES[options.family](horizon=options.horizon)
    return ppo.train(config, line_scorer=ProcessRewardModel.load(options.prm), tasks=family).folder / "policy"


def look(options: Options, folder: Path, updates: int) -> dict[str, float]:
    """What programs for unseen tasks look like, and how many pass."""
    sampling, generator = Sampling(Cell(options.horizon).max_tokens), torch_generator(updates, "look")
    with open_sandbox(options.sandbox) as boxes:
        written = sample_programs(Policy.load(folder), draw(options), sampling, Judge(boxes), generator)
        passed = [future.result().passed for _, future in written]
    return {"updates": updates, "pass_rate": statistics.mean(passed), **shape([text for text, _ in written])}


def shape(texts: Sequence[str]) -> dict[str, float]:
    """Share of neutral lines, mean and largest number of lines."""
    found = [line_kinds(text) for text in texts]
    lines = [len(each) for each in found]
    neutral = sum(kind is not LineKind.CODE for each in found for kind in each)
    return {"neutral_share": neutral / max(1, sum(lines)), "lines": statistics.mean(lines), "most_lines": max(lines)}


def draw(options: Options) -> list[Any]:
    """Unseen tasks, the same each time."""
    family: Any = FAMILIES[options.family](horizon=options.horizon, split="test")
    rng = numpy_generator(0, "hacking")
    return [family.draw(rng) for _ in range(options.eval_programs)]


def gold(options: Options) -> dict[str, float]:
    """The shape of the gold solutions."""
    return shape([task.solution for task in draw(options)])


def table(rows: Sequence[Mapping[str, float]], solutions: Mapping[str, float]) -> Table:
    """A row for each look, and the gold solutions."""
    made = Table()
    for name in ("updates", "pass rate", "comments and blank lines", "lines", "most lines"):
        made.add_column(name, justify="right")
    for row in [*rows, {"updates": "gold", "pass_rate": 1.0, **solutions}]:
        shape_of = (f"{row['neutral_share']:.1%}", f"{row['lines']:.2f}", f"{row['most_lines']:.0f}")
        made.add_row(str(row["updates"]), f"{row['pass_rate']:.3f}", *shape_of)
    return made


if __name__ == "__main__":
    main(tyro.cli(Options, description=__doc__))
