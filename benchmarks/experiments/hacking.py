"""Is the dense reward hacked by long optimization? 1,000 updates, with the shape of the programs along the way.

    python -m benchmarks.experiments.hacking --policy runs/cache/supervised-... --prm runs/prm_pays-full/prm

A policy that pleases the process reward model without solving tasks writes comments, blank lines, more lines or fewer.
So every hundred updates the share of neutral lines, the number of lines and the true pass rate on unseen tasks are
compared with those of the gold solutions.
"""

from __future__ import annotations

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
from agents.common.evaluate import sample_programs
from agents.generation.generate import Sampling
from agents.policies.causal import Policy
from agents.seeding import numpy_generator, torch_generator
from benchmarks.lab.design import Setting
from codegym import Judge
from codegym.jsonl import ResumableFile
from codegym.sandbox import open_sandbox
from codegym.scorers.prm import ProcessRewardModel
from codegym.syntax import LineKind, line_kinds
from codegym.tasks.procedural import FAMILIES


@dataclass(frozen=True)
class HackingOptions:
    """Options of the long optimization."""

    policy: Path
    """Folder of the policy to start from."""
    prm: Path
    """Folder of the process reward model."""
    family: str = "pipelines"
    """Procedural family of the tasks."""
    horizon: int = 4
    """Lines of the tasks."""
    reward: str = "outcome + progress"
    """Reward that is optimized."""
    updates: int = 1_000
    """Iterations, each with several gradient steps on new programs."""
    every: int = 100
    """Updates between two measurements."""
    programs: int = 64
    """Programs an update."""
    learning_rate: float = 1e-4
    """Learning rate of the policy."""
    eval_programs: int = 256
    """Programs of a measurement."""
    sandbox: str = "auto"
    """Sandbox back end."""
    out: Path = Path("runs/hacking")
    """Folder of the results; the same command continues an interrupted run in it."""


def main(options: HackingOptions) -> None:
    """Train, measure every ``options.every`` updates, and print a table."""
    torch.set_num_threads(1)
    console, settings = Console(), vars(options) | {"updates": 0}
    with ResumableFile(options.out / "rows.jsonl", settings, ignored=("out", "sandbox")) as file:
        for updates in range(file.num_rows * options.every, options.updates + 1, options.every):
            policy = train(options, updates) if updates else options.policy
            file.append(measure_programs(options, policy, updates))
            console.print(f"{updates} updates: measured", highlight=False)
        console.print(hacking_table([*file.rows(), {"updates": "gold", "pass_rate": 1.0, **gold_shape(options)}]))


def train(options: HackingOptions, updates: int) -> Path:
    """Train until ``updates`` updates are done and return the folder of the policy.

    Args:
        options: Options of the optimization.
        updates: Updates since the beginning of the run.
    """
    config = ppo.PPOConfig(
        policy=options.policy,
        out=options.out / "run",
        reward=options.reward,
        sandbox=options.sandbox,
        num_iterations=updates,
        batch_size=options.programs,
        max_tokens=Setting(options.horizon).max_tokens,
        learning_rate=options.learning_rate,
        critic_epochs=2,
        checkpoint_every=50,
    )
    family = FAMILIES[options.family](horizon=options.horizon)
    return ppo.train(config, line_scorer=ProcessRewardModel.load(options.prm), tasks=family).folder / "policy"


def measure_programs(options: HackingOptions, folder: Path, updates: int) -> dict[str, float]:
    """Return the pass rate and the shape of programs for unseen tasks.

    Args:
        options: Options of the optimization.
        folder: Folder of the policy that writes the programs.
        updates: Updates that the policy has had.
    """
    sampling, generator = Sampling(Setting(options.horizon).max_tokens), torch_generator(updates, "look")
    with open_sandbox(options.sandbox) as boxes:
        written = sample_programs(Policy.load(folder), draw_tasks(options), sampling, Judge(boxes), generator)
        passed = [future.result().passed for _, future in written]
    shape = program_shape([text for text, _ in written])
    return {"updates": updates, "pass_rate": statistics.mean(passed), **shape}


def program_shape(texts: Sequence[str]) -> dict[str, float]:
    """Return the share of neutral lines, and the mean and largest number of lines, of the programs ``texts``."""
    found = [line_kinds(text) for text in texts]
    lines = [len(each) for each in found]
    neutral = sum(kind is not LineKind.CODE for each in found for kind in each)
    return {"neutral_share": neutral / max(1, sum(lines)), "lines": statistics.mean(lines), "most_lines": max(lines)}


def draw_tasks(options: HackingOptions) -> list[Any]:
    """Return the unseen tasks of a measurement, the same each time.

    Args:
        options: Options of the optimization.
    """
    family: Any = FAMILIES[options.family](horizon=options.horizon, split="test")
    rng = numpy_generator(0, "hacking")
    return [family.draw(rng) for _ in range(options.eval_programs)]


def gold_shape(options: HackingOptions) -> dict[str, float]:
    """Return the shape of the gold solutions.

    Args:
        options: Options of the optimization.
    """
    return program_shape([task.solution for task in draw_tasks(options)])


def hacking_table(rows: Sequence[dict[str, Any]]) -> Table:
    """Return a table with one line for each of ``rows``."""
    table = Table()
    for name in ("updates", "pass rate", "comments and blank lines", "lines", "most lines"):
        table.add_column(name, justify="right")
    for row in rows:
        shape = (f"{row['neutral_share']:.1%}", f"{row['lines']:.2f}", f"{row['most_lines']:.0f}")
        table.add_row(str(row["updates"]), f"{row['pass_rate']:.3f}", *shape)
    return table


if __name__ == "__main__":
    main(tyro.cli(HackingOptions, description=__doc__))
