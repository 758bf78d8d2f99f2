"""Configuration that all agents share, and its record in the folder of a run."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass
from pathlib import Path
from typing import TypedDict, get_args

from agents.common.rollout import RewardPlacement
from codegym.jsonl import SettingsCard, digest
from codegym.judge import JudgeLike
from codegym.rewards import RewardLike
from codegym.sandbox import Sandbox
from codegym.scorers import LineScorer
from codegym.tasks import Task, TasksLike

_MAY_CHANGE = ("out", "num_iterations", "wandb_project")
"""Settings in which a run may differ from the one that it resumes."""


@dataclass(frozen=True)
class RunConfig:
    """Configuration shared by all agents.

    Raises:
        ValueError: A number is out of range, or two settings contradict each other.
    """

    out: Path
    """Folder of the run. If it already holds a run with this configuration, training resumes."""
    policy: Path | None = None
    """Folder or Hub id of the policy to start from. None: train a tiny one on solutions of ``tasks`` (takes a minute,
    kept in runs/cache)."""
    tasks: str = "arithmetic"
    """Name of a procedural family or of a data set, or "package.module:object"."""
    tasks_path: Path | None = None
    """File of the data set. None: download it from the Hub."""
    reward: str = "outcome"
    """Sum of reward terms, such as "outcome + 0.5*process"."""
    shaping: str = ""
    """More reward terms, such as "psgpo", whose weight may fall during the run."""
    shaping_iterations: int | None = None
    """Number of iterations in which the weight of ``shaping`` falls linearly from 1 to 0. None: it stays 1."""
    reward_placement: RewardPlacement = "credit"
    """Tokens that rewards are placed on: "credit", those that earned them, or "stream", those at which the environment
    pays them step by step. Totals are equal."""
    line_scorer: str | None = None
    """Folder of a process reward model, or "fake". Needed by reward terms that read line scores."""
    sandbox: str = "auto"
    """Sandbox in which programs run: "auto", "docker", "process", or "fake" (runs nothing)."""
    num_iterations: int = 30
    """Number of iterations. Each writes new programs and updates the policy with them."""
    batch_size: int = 256
    """Programs per iteration."""
    max_tokens: int = 128
    """Token budget of a program."""
    max_prompt_tokens: int = 128
    """Room for the prompt, in tokens. Of a longer prompt the end is kept."""
    temperature: float = 1.0
    """Temperature at which tokens are sampled."""
    missing_eos_penalty: float = 0.0
    """Amount subtracted from the reward of a program that exhausts its token budget."""
    learning_rate: float = 3e-4
    """Learning rate of the policy."""
    anneal_learning_rate: bool = False
    """Lower all learning rates linearly, to 0 after the last iteration."""
    minibatch_size: int = 64
    """Programs per gradient step."""
    max_grad_norm: float = 1.0
    """Largest norm of a gradient. Larger gradients are scaled down to it."""
    seed: int = 0
    """Seed of tasks, tokens and minibatches."""
    checkpoint_every: int = 5
    """Number of iterations between checkpoints."""
    eval_every: int = 0
    """Number of iterations between evaluations on the evaluation tasks. 0: no evaluations."""
    eval_programs: int = 256
    """Programs per evaluation, one per task."""
    stop_at_pass_rate: float | None = None
    """End the run when the mean pass rate of two consecutive evaluations reaches this value."""
    wandb_project: str | None = None
    """Project of Weights & Biases to log to as well (extra ``wandb``)."""

    def __post_init__(self) -> None:
        for name in ("num_iterations", "batch_size", "minibatch_size", "checkpoint_every", "eval_programs"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} is too small: got {getattr(self, name)}; expected at least 1")
        if self.eval_every < 0:
            raise ValueError(f"eval_every is negative: got {self.eval_every}; expected 0 or more")
        if self.stop_at_pass_rate is not None and not self.eval_every:
            raise ValueError(
                f"stop_at_pass_rate needs evaluations: got {self.stop_at_pass_rate} with eval_every=0; expected "
                "eval_every of at least 1"
            )
        if self.reward_placement not in get_args(RewardPlacement):
            raise ValueError(f'unknown reward_placement: got {self.reward_placement!r}; expected "credit" or "stream"')
        if self.shaping_iterations is not None and (self.shaping_iterations < 1 or not self.shaping.strip()):
            raise ValueError(
                f"shaping_iterations has nothing to lower: got {self.shaping_iterations} with "
                f'shaping={self.shaping!r}; expected at least 1 iteration, and terms such as shaping="psgpo"'
            )

    def shaping_weight(self, iteration: int) -> float:
        """Return the weight of ``shaping`` in ``iteration``, from 1 down to 0."""
        if not self.shaping.strip():
            return 0.0
        return 1.0 if self.shaping_iterations is None else max(0.0, 1 - iteration / self.shaping_iterations)

    def reward_at(self, iteration: int) -> str:
        """Return the whole reward of ``iteration``.

        ``shaping`` is left out once its weight is 0, so that no line scorer is called for it.
        """
        weight = self.shaping_weight(iteration)
        return f"{self.reward} + {weight!r}*({self.shaping})" if weight else self.reward

    def learning_rate_factor(self, iteration: int) -> float:
        """Return the factor of all learning rates in ``iteration``, from 1 down to 1 / ``num_iterations``."""
        return 1 - iteration / self.num_iterations if self.anneal_learning_rate else 1.0


class RunInputs(TypedDict, total=False):
    """Objects that replace names in the configuration of a run."""

    tasks: TasksLike
    """Task, sequence of tasks or task source, instead of ``tasks`` and ``tasks_path``."""
    eval_tasks: TasksLike
    """Tasks of the evaluations; by default those that are trained on."""
    reward: RewardLike
    """Reward, term, mapping, or function of a ``Step``, instead of ``reward``; not together with ``shaping``."""
    line_scorer: str | os.PathLike[str] | LineScorer | None
    """Process reward model or another line scorer, instead of ``line_scorer``."""
    sandbox: str | Sandbox | JudgeLike
    """Sandbox or judge, instead of ``sandbox``. Its owner closes it."""


def make_card(config: RunConfig, inputs: RunInputs) -> SettingsCard:
    """Make the card that a run's folder belongs to: the configuration, with a description of each object.

    Args:
        config: Configuration of the run.
        inputs: Objects that replace names in it.
    """
    settings = {field.name: describe(getattr(config, field.name)) for field in fields(config)}
    settings |= {name: describe(value) for name, value in inputs.items() if value is not None}
    # With annealing the number of iterations decides every learning rate: such a run cannot be extended.
    ignored = [name for name in _MAY_CHANGE if name != "num_iterations" or not config.anneal_learning_rate]
    return SettingsCard(
        config.out / "config.json",
        settings,
        owner=f"the run in {config.out}",
        ignored=ignored,
        defaults={field.name: describe(field.default) for field in fields(config) if field.name in settings},
        advice="Choose another folder with out=..., or delete this one",
    )


def describe(value: object) -> object:
    """Return plain data that describes ``value``, equal in every process.

    A function or class is described by its module and name, another object by its class, records also by their
    fields, and tasks by a digest of them all.
    """
    if value is None or isinstance(value, str | int | float):
        return value
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    if isinstance(value, Task):
        return f"task {value.task_id!r}, digest {digest([value])}"
    if isinstance(value, Mapping):
        return {str(describe(key)): describe(item) for key, item in value.items()}
    if isinstance(value, Sequence):
        are_tasks = len(value) > 0 and isinstance(value[0], Task)
        return f"{len(value)} tasks, digest {digest(value)}" if are_tasks else [describe(item) for item in value]
    if isinstance(value, type) or hasattr(value, "__qualname__"):
        return f"{value.__module__}:{value.__qualname__}"
    name = f"{type(value).__module__}:{type(value).__qualname__}"
    return {"type": name, **_fields(value)} if is_dataclass(value) else name


def _fields(record: object) -> dict[str, object]:
    return {name: describe(getattr(record, name)) for name in record.__dataclass_fields__}  # type: ignore[attr-defined]
