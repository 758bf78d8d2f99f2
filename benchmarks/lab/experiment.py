"""The experiment as data: the tasks, the start, the labels, and the arms that are compared."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

Options = Mapping[str, Any]
_FAST, _SLOW, _FASTER = {"learning_rate": 3e-4}, {"learning_rate": 1.5e-4}, {"learning_rate": 4.5e-4}
_FADING = {"learning_rate": 3e-4, "shaping_iterations": 12}
_TRIALS: tuple[Options, ...] = (_FAST, _SLOW, _FASTER)
_DENSE_TRIALS: tuple[Options, ...] = (_FAST, _SLOW, _FADING)
_CAREFUL = {"learning_rate": 3e-4, "critic_learning_rate": 1e-4}
_VALUE_TRIALS: tuple[Options, ...] = (_FAST, _SLOW, _CAREFUL)


@dataclass(frozen=True)
class Arm:
    """One way to train, everything else being equal."""

    name: str
    said: str
    """In words, for the summary."""
    agent: Literal["ppo", "grpo"] = "ppo"
    dense: bool = False
    """What the process reward model says of each line is added to the reward."""
    value_init: Literal["", "prm", "returns"] = ""
    """What the critic starts from: the process reward model, or what that has become by learning how the completions
    ended that the labels were found with."""
    curriculum: bool = False
    """Trains on tasks of all lengths up to the one that counts, not on that alone."""
    trials: tuple[Options, ...] = _TRIALS
    """What tuning chooses from; as many for each arm."""
    tuned: Options = field(default_factory=_FAST.copy)
    """What tuning chose in the full form; stands where nothing is tuned."""

    @property
    def needs_labels(self) -> bool:
        """Whether the cost of the labels is this arm's too."""
        return self.dense or bool(self.value_init)


ARMS: tuple[Arm, ...] = (
    Arm("sparse PPO", "PPO with nothing but the tests", tuned=_FASTER),
    Arm("sparse GRPO", "GRPO with nothing but the tests", "grpo", tuned=_SLOW),
    Arm("dense", "PPO with a reward for each line from the PRM", dense=True, trials=_DENSE_TRIALS, tuned=_FADING),
    Arm("value init", "PPO whose critic starts from the PRM", value_init="prm"),
    Arm("both", "line rewards and critic from the PRM", dense=True, value_init="prm", trials=_DENSE_TRIALS),
    Arm("curriculum", "PPO on tasks of all lengths, nothing but the tests", curriculum=True, tuned=_SLOW),
    Arm(
        "curriculum + both",
        "the same with line rewards and critic from the PRM",
        dense=True,
        value_init="prm",
        curriculum=True,
        trials=_DENSE_TRIALS,
    ),
    Arm("value model", "PPO whose critic starts from a model of values", value_init="returns", trials=_VALUE_TRIALS),
)
NAMES = tuple(arm.name for arm in ARMS)


@dataclass(frozen=True)
class Cell:
    """Tasks that the start solves at one rate."""

    horizon: int
    """Lines that must all be right."""
    difficulty: float = 0.0
    """From 0 to 1: how much of the tasks is what goes wrong easily."""
    iterations: int = 40
    """The longest that an arm is trained."""
    seeds: int = 3
    equal_budgets: bool = False
    """Arms without labels are trained for as many programs more as the labels took completions."""

    @property
    def name(self) -> str:
        """As it stands in tables and folders."""
        return f"{self.horizon} lines" + (f", hard {self.difficulty:g}" if self.difficulty else "")

    @property
    def max_tokens(self) -> int:
        """Room for half as many tokens again as the longest solutions have."""
        return 40 + 15 * self.horizon


@dataclass(frozen=True)
class Experiment:
    """All that decides the numbers."""

    cells: tuple[Cell, ...] = (Cell(6, difficulty=1.0, iterations=20, seeds=1),)
    arms: tuple[str, ...] = NAMES[:5]
    family: str = "pipelines"
    programs: int = 256
    """Programs an iteration."""
    longest: int = 6
    """The start has seen tasks of up to so many lines."""
    supervised_programs: int = 12_000
    label_horizon: tuple[int, int] = (1, 4)
    """Of the programs that are labeled: those of long tasks have hardly a right line."""
    label_programs: int = 2_000
    num_completions: int = 12
    """K: a prefix is lost where none of them passes."""
    prm_epochs: int = 12
    keep_completions: int = 0
    """Of each prefix that was tried, for a model of values to learn from; 0: none is made, and no arm may want one."""
    reward: str = "outcome"
    shaping: str = "0.25*progress"
    """What dense arms add to the reward; with PSGPO's weight, so that one program that passes outweighs many errors of
    the PRM. Adam does not feel the weight as long as none passes."""
    eval_every: int = 2
    """Iterations."""
    eval_programs: int = 256
    """Unseen tasks of an evaluation; a last one has twice as many."""
    stop_at: float | None = None
    """End an arm there: whoever asks only what half the tasks cost need not know more."""
    start_programs: int = 4_096
    """For the pass rate of the start."""
    tuning: Cell | None = None
    """Where each arm is tuned; None takes each arm's first settings."""

    def chosen_arms(self) -> list[Arm]:
        """The arms that are run.

        Raises:
            ValueError: there is no arm of that name, or one wants a model of values that nothing is kept for.
        """
        known = {arm.name: arm for arm in ARMS}
        if unknown := [name for name in self.arms if name not in known]:
            raise ValueError(f"no arm {unknown[0]!r}; there are {', '.join(known)}")
        chosen = [known[name] for name in self.arms]
        if not self.keep_completions and any(arm.value_init == "returns" for arm in chosen):
            raise ValueError("an arm starts from a model of values: keep_completions must be above 0")
        return chosen

    def as_dict(self) -> dict[str, Any]:
        """Plain values, for a file."""
        return asdict(self)

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> Experiment:
        """Make one of what ``as_dict`` gave, read from JSON."""
        lists = {key: tuple(value) for key, value in values.items() if isinstance(value, list)}
        cells = tuple(Cell(**cell) for cell in values["cells"])
        tuning = None if values["tuning"] is None else Cell(**values["tuning"])
        return cls(**{**values, **lists, "cells": cells, "tuning": tuning})


QUICK = Experiment()
"""A quarter of an hour on two cores."""
FULL = Experiment(
    cells=(
        Cell(3, iterations=30),
        Cell(5, iterations=40, seeds=5),
        Cell(6, difficulty=1.0, iterations=40, seeds=5),
        Cell(8, iterations=40),
        Cell(8, difficulty=1.0, iterations=80, equal_budgets=True),
    ),
    arms=NAMES,
    longest=8,
    supervised_programs=16_000,
    label_horizon=(1, 4),
    label_programs=2_000,
    num_completions=16,
    keep_completions=4,
    stop_at=0.6,
    start_programs=16_384,
    tuning=Cell(6, difficulty=1.0, iterations=20, seeds=1),
)
"""The map of when a PRM pays: hours on two cores. What is finished is kept, so it may take several evenings."""
