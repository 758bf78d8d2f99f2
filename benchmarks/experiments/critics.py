"""How much does a critic know before its policy has learned anything? Explained variance of Monte-Carlo values.

    python -m benchmarks.experiments.critics --policy runs/cache/supervised-... --prm .../prm \
        --value-model .../value_model

The three folders are those of ``python -m benchmarks.lab --full``. A state is the prompt or the end of a line in a
program of the policy. Its true value is estimated by the share of passing programs among ``completions`` programs that
the policy writes from there, corrected for noise (``agents.critics.monte_carlo``). A critic is calibrated by an affine
map on the first iteration's programs and measured on them. It is measured again on the second iteration's programs,
after one update of its own and before the first update of the policy.
"""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
import tyro
from rich.console import Console
from rich.table import Table

from agents import psgpo
from agents.critics.critic import ValueInit
from benchmarks.lab.design import Setting
from benchmarks.lab.records import write_record
from benchmarks.lab.spread import Spread
from codegym.tasks.procedural import FAMILIES

MEASURE = "losses/mc_explained_variance"
"""Log key of the explained variance of Monte-Carlo values."""


@dataclass(frozen=True)
class CriticsOptions:
    """Options of the comparison of critics."""

    policy: Path
    """Folder of the policy."""
    prm: Path
    """Folder of the process reward model."""
    value_model: Path
    """Folder of the value model."""
    family: str = "pipelines"
    """Procedural family of the tasks."""
    horizons: tuple[int, ...] = (2, 3, 4)
    """Lines of the tasks; each length is measured apart."""
    seeds: int = 3
    """Runs of each critic at each length."""
    programs: int = 256
    """Programs an iteration."""
    states: int = 256
    """States at which a critic is measured."""
    completions: int = 32
    """Programs that the policy writes from each state."""
    sandbox: str = "auto"
    """Sandbox back end."""
    out: Path = Path("runs/critics")
    """Folder of the results; finished runs in it are not repeated."""


@dataclass(frozen=True)
class InitialCritic:
    """One way to initialise a critic."""

    name: str
    """Name in the table."""
    value_init: ValueInit
    """Setting of PPO."""
    scorer: Path | None = None
    """Folder of the model that it starts from."""
    learning_rate: float = 1e-3
    """Learning rate of the critic."""


@dataclass(frozen=True)
class CriticRow:
    """Explained variance of one initial critic on tasks of one length."""

    horizon: int
    """Lines of the tasks."""
    critic: str
    """Name of the critic."""
    at_start: tuple[float | None, ...]
    """Explained variance of the calibrated critic, one a seed; None if no program passed."""
    before_update: tuple[float | None, ...]
    """Explained variance just before the first update of the policy, one a seed."""


def main(options: CriticsOptions) -> None:
    """Measure each critic at each length with each seed, and print a table."""
    torch.set_num_threads(1)
    critics = (
        InitialCritic("from scratch", "none"),
        InitialCritic("the PRM's weights", "weights", options.prm),
        InitialCritic("the PRM's scores, distilled", "distilled", options.prm),
        InitialCritic("a value model", "weights", options.value_model),
        InitialCritic("a value model, smaller steps", "weights", options.value_model, learning_rate=1e-4),
    )
    rows = [
        measure_critic(options, horizon, critic, options.out / f"{horizon}-{number}")
        for horizon in options.horizons
        for number, critic in enumerate(critics)
    ]
    write_record(options.out / "critics.json", rows)
    Console().print(critics_table(rows))


def measure_critic(options: CriticsOptions, horizon: int, critic: InitialCritic, folder: Path) -> CriticRow:
    """Return the explained variance of one initial critic at its start and before the first policy update.

    Args:
        options: Options of the comparison.
        horizon: Lines of the tasks.
        critic: Way to initialise the critic.
        folder: Folder of the runs.
    """
    measures = []
    for seed in range(options.seeds):
        config = psgpo.PSGPOConfig(
            policy=options.policy,
            out=folder / str(seed),
            line_scorer=None if critic.scorer is None else str(critic.scorer),
            shaping="",
            value_init=critic.value_init,
            sandbox=options.sandbox,
            num_iterations=2,
            batch_size=options.programs,
            max_tokens=Setting(horizon).max_tokens,
            critic_learning_rate=critic.learning_rate,
            critic_epochs=2,
            mc_completions=options.completions,
            mc_states=options.states,
            seed=seed,
        )
        rows = psgpo.train(config, tasks=FAMILIES[options.family](horizon=horizon)).metrics()
        measures.append([row.get(MEASURE) for row in rows])
    at_start, before_update = zip(*measures, strict=True)
    return CriticRow(horizon, critic.name, at_start, before_update)


def critics_table(rows: Sequence[CriticRow]) -> Table:
    """Return a table with one line for each of ``rows``."""
    table = Table()
    for name in ("lines", "critic starts from", "calibrated", "before the policy's first update"):
        table.add_column(name, justify="left" if name.startswith("critic") else "right")
    for row in rows:
        table.add_row(str(row.horizon), row.critic, _format(row.at_start), _format(row.before_update))
    return table


def _format(values: Sequence[float | None]) -> str:
    known = [value for value in values if value is not None]
    return "none passed" if len(known) < len(values) else Spread.of(known, statistics.mean).format(".2f")


if __name__ == "__main__":
    main(tyro.cli(CriticsOptions, description=__doc__))
