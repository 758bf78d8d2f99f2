"""What all agents are told."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from agents.common.rollout import RewardPlacement

_MAY_CHANGE = ("num_iterations", "wandb_project")
"""Settings that leave a run the same run."""


@dataclass(frozen=True)
class RunConfig:
    """What all agents are told."""

    policy: Path
    """Folder of the policy to start from."""
    out: Path
    """Folder of the run; one that holds the same run goes on."""
    tasks: str = "arithmetic"
    """Name of a procedural family or of a data set."""
    tasks_path: Path | None = None
    """File of the data set."""
    reward: str = "outcome"
    """Terms of the reward, such as "outcome + 0.5*process"."""
    shaping: str = ""
    """More terms, such as "psgpo", that are added with a weight that may fall."""
    shaping_iterations: int | None = None
    """The weight of ``shaping`` falls linearly from 1 in iteration 0 to 0 in this one; None: it stays 1."""
    reward_placement: RewardPlacement = "credit"
    """On which tokens rewards stand: "credit", those that earned them; "stream", those at which the environment would
    have paid them step by step. Totals are equal."""
    line_scorer: str | None = None
    """Folder of a process reward model, or "fake"; an object is handed over as ``train(config, line_scorer=...)``."""
    sandbox: str = "auto"
    """Where programs run."""
    num_iterations: int = 30
    """Updates of the policy, each on programs of its own."""
    batch_size: int = 256
    """Programs an iteration."""
    max_tokens: int = 128
    """Token budget of a program."""
    max_prompt_tokens: int = 128
    """Room for the prompt."""
    temperature: float = 1.0
    """Of the sampling."""
    missing_eos_penalty: float = 0.0
    """Taken from a program that its budget ended."""
    learning_rate: float = 3e-4
    """Of the policy."""
    minibatch_size: int = 64
    """Programs a gradient step."""
    max_grad_norm: float = 1.0
    """Gradients are scaled down to this norm."""
    seed: int = 0
    """Of tasks, tokens and minibatches."""
    checkpoint_every: int = 5
    """Iterations from one checkpoint to the next."""
    eval_every: int = 0
    """Iterations from one evaluation on the evaluation tasks to the next; 0 leaves it out. It is not learned from."""
    eval_programs: int = 256
    """Programs of an evaluation, one a task."""
    stop_at_pass_rate: float | None = None
    """End the run once the mean pass rate of two evaluations in a row is so high."""
    wandb_project: str | None = None
    """Log to this project of Weights & Biases too (extra ``wandb``)."""

    def __post_init__(self) -> None:
        for name in ("num_iterations", "batch_size", "minibatch_size", "checkpoint_every"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, got {getattr(self, name)}")
        if self.eval_every < 0 or self.eval_programs < 1:
            raise ValueError(
                f"eval_every={self.eval_every} and eval_programs={self.eval_programs}: wanted 0 or more, and at least 1"
            )
        if self.stop_at_pass_rate is not None and not self.eval_every:
            raise ValueError(
                f"stop_at_pass_rate={self.stop_at_pass_rate} looks at evaluations, and there are none: set eval_every"
            )
        if self.reward_placement not in ("credit", "stream"):
            raise ValueError(f'reward_placement must be "credit" or "stream", got {self.reward_placement!r}')
        if self.shaping_iterations is not None and (self.shaping_iterations < 1 or not self.shaping.strip()):
            raise ValueError(
                f"shaping_iterations={self.shaping_iterations} with shaping={self.shaping!r}: wanted at least 1 "
                'iteration, and terms whose weight falls in that time, such as shaping="psgpo"'
            )

    def shaping_weight(self, iteration: int) -> float:
        """Weight of ``shaping`` in an iteration, from 1 down to 0."""
        if not self.shaping.strip():
            return 0.0
        return 1.0 if self.shaping_iterations is None else max(0.0, 1 - iteration / self.shaping_iterations)

    def reward_at(self, iteration: int) -> str:
        """The whole reward of an iteration; without ``shaping`` once its weight is 0, so that nothing asks for it."""
        weight = self.shaping_weight(iteration)
        return f"{self.reward} + {weight!r}*({self.shaping})" if weight else self.reward


def check_same_config(folder: Path, config: RunConfig) -> None:
    """Let a folder belong to one configuration, apart from how long to train; a setting it lacks was the default.

    Raises:
        ValueError: it belongs to another one.
    """
    folder.mkdir(parents=True, exist_ok=True)
    wanted = json.loads(json.dumps(asdict(config), default=str))
    defaults = {field.name: field.default for field in fields(config)}
    file = folder / "config.json"
    if file.exists():
        known = json.loads(file.read_text("utf-8"))
        was = {key: known.get(key, defaults[key]) for key in wanted if key not in _MAY_CHANGE}
        if changed := [key for key in was if was[key] != wanted[key]]:
            raise ValueError(
                f"{folder} holds another run ({changed[0]} was {was[changed[0]]!r}, now {wanted[changed[0]]!r}): "
                "choose another folder, or remove it"
            )
    file.write_text(json.dumps(wanted, indent=1) + "\n", encoding="utf-8")
