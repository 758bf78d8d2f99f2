"""PSGPO: PPO with a process reward model in the reward and in the critic (Dai et al., arXiv 2410.17621).

    python -m agents.psgpo --policy runs/start --out runs/psgpo --tasks pipelines --line-scorer runs/prm

Two uses of a process reward model (PRM), which can be switched on separately:

- the reward term ``psgpo`` in ``shaping``: lambda times the mean score of the lines; lambda depends on the verdict;
- *value initialization*: the critic starts from the PRM (``value_init``). The paper does not define it; there are two
  readings. "weights" copies the PRM's trunk and head, which must have the policy's tokenizer. "distilled" trains a new
  critic on the PRM's scores of some thousand programs of the policy, which needs no labels, no run of a program and no
  common tokenizer, and works with any line scorer.

Everything else is ``agents.ppo``. ``losses/mc_explained_variance`` in the log measures the critic at its start and just
before the policy's first update.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Unpack, get_args

import torch
from torch import Tensor

from agents import ppo
from agents.common.cli import run_from_cli
from agents.common.config import RunInputs
from agents.common.log import Metrics
from agents.common.rollout import Rollout
from agents.common.run import Run
from agents.critics.critic import Critic, ValueInit, distill, init_critic, scored_programs
from agents.critics.monte_carlo import find_states, mc_explained_variance, sampled_returns
from agents.registry import Agent


@dataclass(frozen=True)
class PSGPOConfig(ppo.PPOConfig):
    """Configuration of PSGPO.

    Raises:
        ValueError: A number is out of range, or ``value_init`` is unknown.
    """

    out: Path = Path("runs/psgpo")
    """Folder of the run. If it already holds a run with this configuration, training resumes."""
    shaping: str = "psgpo"
    """More reward terms, such as "psgpo", whose weight may fall during the run."""
    value_init: ValueInit = "weights"
    """Start of the critic: "weights" of the process reward model, its scores "distilled", or "none" (as in PPO)."""
    recalibrate: bool = False
    """Calibrate the critic again just before the policy's first update, on programs that it was not trained on. What it
    memorized in the warm-up, and does not hold for others, is scaled down."""
    distill_batches: int = 8
    """Batches of programs that a "distilled" critic learns line scores from. With one it memorizes them and knows
    nothing about other programs."""
    distill_epochs: int = 16
    """Passes over these programs."""
    mc_completions: int = 0
    """Completions per state by which the critic is measured, twice in a run. 0: it is not measured."""
    mc_states: int = 64
    """Number of states (prompts and line ends of sampled programs) at which the critic is measured."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.value_init not in get_args(ValueInit):
            raise ValueError(f'unknown value_init: got {self.value_init!r}; expected "none", "weights" or "distilled"')
        for name in ("distill_batches", "distill_epochs"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} is too small: got {getattr(self, name)}; expected at least 1")
        if self.mc_completions < 0 or self.mc_completions == 1 or self.mc_states < 2:
            raise ValueError(
                f"the critic cannot be measured: got mc_completions={self.mc_completions} and mc_states="
                f"{self.mc_states}; expected 0 completions or at least 2 (one has no variance), and at least 2 states"
            )


def train(config: PSGPOConfig, **inputs: Unpack[RunInputs]) -> Run[ppo.PPOConfig]:
    """Train a policy with PSGPO and return the finished run.

    Args:
        config: Configuration of the run.
        **inputs: Objects that replace names in ``config``; see ``RunInputs``. ``line_scorer`` is the PRM.
    """
    return ppo.train(config, setup=ValueInitialization(config), **inputs)


class ValueInitialization(ppo.CriticSetup):
    """A critic that starts from a process reward model.

    Args:
        config: Configuration of the run.
    """

    def __init__(self, config: PSGPOConfig) -> None:
        self.config = config

    def make(self, run: Run[ppo.PPOConfig]) -> Critic:
        """Make the critic of ``run``; a critic to be distilled has not learned yet."""
        return init_critic(run, self.config.value_init)

    def prepare(self, run: Run[ppo.PPOConfig], iteration: int, critic: Critic) -> None:
        """Distill the line scores before the first iteration, and demand a new calibration after the warm-up."""
        if iteration == 0 and self.config.value_init == "distilled":
            distill_scores(run, self.config, critic)
        if self.config.recalibrate and iteration == self.config.critic_warmup:
            critic.is_uncalibrated.fill_(True)

    def measure(self, run: Run[ppo.PPOConfig], iteration: int, rollout: Rollout, values: Tensor) -> Metrics:
        """Measure the critic in the first iteration and before the policy's first update."""
        if not self.config.mc_completions or iteration not in (0, self.config.critic_warmup):
            return {}
        return {"losses/mc_explained_variance": mc_value_quality(run, self.config, iteration, rollout, values)}


def distill_scores(run: Run[ppo.PPOConfig], config: PSGPOConfig, critic: Critic) -> None:
    """Train the critic on the line scorer's scores, before anything is learned from returns.

    Args:
        run: Open run with a line scorer.
        config: Configuration of the run.
        critic: Critic to train.
    """
    assert run.line_scorer is not None
    distill(
        critic,
        *scored_programs(run, run.line_scorer, config.distill_batches),
        generator=run.generator(0, "distil order"),
        epochs=config.distill_epochs,
        minibatch_size=config.minibatch_size,
        learning_rate=config.critic_learning_rate,
        max_grad_norm=config.max_grad_norm,
    )


def mc_value_quality(
    run: Run[ppo.PPOConfig], config: PSGPOConfig, iteration: int, rollout: Rollout, values: Tensor
) -> float:
    """Return the critic's explained variance against mean returns of many completions of some states.

    Args:
        run: The open run.
        config: Configuration of the run.
        iteration: Number of the iteration.
        rollout: Programs of the iteration.
        values: Value before each token, [B, T].
    """
    programs, generator = run.last_steps(rollout), run.generator(iteration, "true values")
    states = find_states(rollout, programs)
    order = torch.randperm(len(states), generator=generator)[: config.mc_states]
    chosen = [states[index] for index in order.tolist()]
    returns = sampled_returns(run, rollout, programs, chosen, config.mc_completions, generator, config.gamma)
    return mc_explained_variance(torch.stack([values[state.row, state.position] for state in chosen]), returns)


AGENT = Agent(PSGPOConfig, train)

if __name__ == "__main__":
    run_from_cli(AGENT, __doc__)
