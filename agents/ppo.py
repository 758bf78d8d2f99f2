"""PPO: proximal policy optimization, token by token, with a critic (Schulman et al., arXiv 1707.06347).

    python -m agents.ppo                                  # trains a tiny policy on arithmetic tasks and improves it
    python -m agents.ppo --policy runs/start --out runs/ppo --tasks pipelines --reward "outcome + 0.5*process"

Rewards are placed on the tokens that earned them (the credit of the environment), the critic predicts the return before
each token, and generalized advantage estimation combines both into advantages.

The critic is a copy of the policy's trunk with a zero head. It is fitted to the first returns by an affine map and then
trained alone for ``critic_warmup`` iterations. ``agents.psgpo`` starts it from a process reward model instead.

Left out: parallel actors, and a trunk that policy and critic share.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Unpack

import torch
from torch import Tensor

from agents.common.advantages import explained_variance, gae, returns_to_go, whiten
from agents.common.cli import run_from_cli
from agents.common.config import RunConfig, RunInputs
from agents.common.log import Metrics, mean_metrics
from agents.common.losses import (
    KLPlacement,
    aggregate,
    check_kl_placement,
    clip_fraction,
    clipped_policy_loss,
    kl,
)
from agents.common.rollout import Rollout, add_kl_penalty
from agents.common.run import Run
from agents.critics.critic import Critic, fit_step, make_critic
from agents.registry import Agent


@dataclass(frozen=True)
class PPOConfig(RunConfig):
    """Configuration of PPO."""

    out: Path = Path("runs/ppo")
    """Folder of the run. If it already holds a run with this configuration, training resumes."""
    update_epochs: int = 2
    """Passes of the policy over the programs of an iteration."""
    gamma: float = 1.0
    """Discount per token."""
    gae_lambda: float = 1.0
    """Lambda of GAE. 1: advantages are returns minus values. Smaller values trust the critic more."""
    clip_range: float = 0.2
    """Largest distance of the probability ratio to the sampling policy from 1."""
    target_kl: float | None = None
    """Stop the update after a pass whose mean approx_kl exceeds this value. None: make all passes."""
    ent_coef: float = 0.0
    """Weight of the entropy bonus."""
    kl_coef: float = 0.0
    """Weight of the KL divergence from the starting policy."""
    kl_placement: KLPlacement = "loss"
    """Place at which the divergence is charged: "loss", as k3 (GRPO), or "reward", as k1 in the reward of each token,
    which advantages and values include (RLHF; Ziegler et al., arXiv 1909.08593)."""
    normalize_advantages: bool = False
    """Whiten the advantages of an iteration. With rewards that are mostly 0 this amplifies noise."""
    critic_learning_rate: float = 1e-3
    """Learning rate of the critic."""
    critic_epochs: int = 4
    """Passes of the critic over the programs of an iteration."""
    critic_warmup: int = 1
    """Number of first iterations in which only the critic learns."""
    value_clip_range: float | None = None
    """Distance beyond which the loss of a value stops falling in one update. None: no clipping."""

    def __post_init__(self) -> None:
        super().__post_init__()
        check_kl_placement(self.kl_placement)


class CriticSetup:
    """What a variant of PPO may change about the critic. This is plain PPO: a new critic and nothing else."""

    def make(self, run: Run[PPOConfig]) -> Critic:
        """Make the critic at the start of ``run``, before a checkpoint is loaded."""
        return make_critic(run.model)

    def prepare(self, run: Run[PPOConfig], iteration: int, critic: Critic) -> None:
        """Change the critic before it predicts the values of an iteration.

        Args:
            run: The open run.
            iteration: Number of the iteration.
            critic: Critic of the run.
        """

    def measure(self, run: Run[PPOConfig], iteration: int, rollout: Rollout, values: Tensor) -> Metrics:
        """Return metrics of the critic's values.

        Args:
            run: The open run.
            iteration: Number of the iteration.
            rollout: Programs of the iteration.
            values: Value before each token, [B, T].
        """
        return {}


def train(
    config: PPOConfig, *, critic: Critic | None = None, setup: CriticSetup | None = None, **inputs: Unpack[RunInputs]
) -> Run[PPOConfig]:
    """Train a policy with PPO and return the finished run.

    Args:
        config: Configuration of the run.
        critic: Critic to train; by default ``setup`` makes one.
        setup: Changes to the critic; by default there are none.
        **inputs: Objects that replace names in ``config``; see ``RunInputs``.
    """
    setup = setup or CriticSetup()
    with Run(config, **inputs) as run:
        critic = critic or setup.make(run)
        reference = run.make_reference(config.kl_coef)
        actor_optimizer = torch.optim.AdamW(run.model.parameters(), config.learning_rate, weight_decay=0.0)
        critic_optimizer = torch.optim.AdamW(critic.parameters(), config.critic_learning_rate, weight_decay=0.0)
        run.register(critic=critic, actor_optimizer=actor_optimizer, critic_optimizer=critic_optimizer)
        for iteration in run.iterations():
            rollout = run.collect(iteration)
            ref_log_probs = None if reference is None else run.reference_log_probs(rollout, reference)
            rewards = add_kl_penalty(rollout, ref_log_probs, config.kl_placement, config.kl_coef).rewards
            returns = returns_to_go(rewards, rollout.mask, config.gamma)
            setup.prepare(run, iteration, critic)
            values = predict_values(run, iteration, critic, rollout, returns)
            metrics = setup.measure(run, iteration, rollout, values)
            metrics["losses/explained_variance"] = explained_variance(values, returns, rollout.mask)
            advantages = gae(rewards, values, rollout.mask, config.gamma, config.gae_lambda)
            if config.normalize_advantages:
                advantages = whiten(advantages, rollout.mask)
            # If all programs have the same return, advantages are only errors of the critic, and Adam makes full steps
            # of even the smallest: a policy that rarely passes would forget its start between two successes.
            if iteration >= config.critic_warmup and bool(returns[rollout.mask].var() > 0):
                metrics |= update_policy(run, iteration, rollout, advantages, actor_optimizer, ref_log_probs)
            # The critic's targets are returns, not advantages plus values: with lambda 1 they are the same.
            metrics |= update_critic(run, iteration, rollout, critic, values, returns, critic_optimizer)
            run.log(iteration, rollout, metrics)
    return run


def predict_values(run: Run[PPOConfig], iteration: int, critic: Critic, rollout: Rollout, returns: Tensor) -> Tensor:
    """Return the value before each token, [B, T]; a critic without calibration is calibrated first.

    Args:
        run: The open run.
        iteration: Number of the iteration.
        critic: Critic of the run.
        rollout: Programs of the iteration.
        returns: Return from each token on, [B, T].
    """
    size = run.config.minibatch_size
    if iteration == 0 or critic.is_uncalibrated:
        critic.calibrate(evaluate_in_minibatches(critic.raw_values, rollout, size), returns, rollout.mask)
    return evaluate_in_minibatches(critic, rollout, size)


def update_policy(
    run: Run[PPOConfig],
    iteration: int,
    rollout: Rollout,
    advantages: Tensor,
    optimizer: torch.optim.Optimizer,
    ref_log_probs: Tensor | None,
) -> Metrics:
    """Take clipped gradient steps over ``update_epochs`` passes and return their mean metrics.

    Args:
        run: The open run.
        iteration: Number of the iteration.
        rollout: Programs of the iteration.
        advantages: Advantage of each token, [B, T].
        optimizer: Optimizer of the policy.
        ref_log_probs: Log-probability of each chosen token under the starting policy, [B, T], or None.
    """
    config, steps = run.config, list[dict[str, float]]()
    for epoch in range(config.update_epochs):
        first = len(steps)
        for rows in run.minibatches(iteration, epoch, len(rollout.tokens)):
            part, clip = rollout.select(rows), (config.clip_range, config.clip_range)
            log_probs, entropy = run.log_probs(part)
            losses = clipped_policy_loss(log_probs, part.log_probs, advantages[rows], *clip)
            losses = losses - config.ent_coef * entropy
            if ref_log_probs is not None and config.kl_placement == "loss":
                losses = losses + config.kl_coef * kl(log_probs, ref_log_probs[rows])
            metrics = run.policy_step(optimizer, aggregate(losses, part.mask), part, log_probs, entropy)
            outside = clip_fraction(log_probs.detach(), part.log_probs, part.mask, *clip)
            steps.append(metrics | {"losses/clip_fraction": outside})
        if config.target_kl is not None and mean_metrics(steps[first:])["losses/approx_kl"] > config.target_kl:
            break
    return mean_metrics(steps)


def update_critic(
    run: Run[PPOConfig],
    iteration: int,
    rollout: Rollout,
    critic: Critic,
    values: Tensor,
    returns: Tensor,
    optimizer: torch.optim.Optimizer,
) -> Metrics:
    """Regress the critic to the returns over ``critic_epochs`` passes and return the mean loss.

    Args:
        run: The open run.
        iteration: Number of the iteration.
        rollout: Programs of the iteration.
        critic: Critic of the run.
        values: Value before each token before the update, [B, T].
        returns: Return from each token on, [B, T].
        optimizer: Optimizer of the critic.
    """
    config = run.config
    losses = [
        fit_step(
            critic,
            rollout.tokens[rows],
            returns[rows],
            rollout.mask[rows],
            optimizer,
            config.max_grad_norm,
            old_values=values[rows],
            clip_range=config.value_clip_range,
        )
        for epoch in range(config.critic_epochs)
        for rows in run.minibatches(iteration, 100 + epoch, len(rollout.tokens))
    ]
    return {"losses/value": sum(losses) / len(losses)} if losses else {}


@torch.no_grad()
def evaluate_in_minibatches(function: Callable[[Tensor], Tensor], rollout: Rollout, minibatch_size: int) -> Tensor:
    """Return the values of all states, [B, T]; 0 outside the mask.

    Args:
        function: Function from tokens [b, T] to values [b, T].
        rollout: Programs to evaluate.
        minibatch_size: Programs per call of ``function``.
    """
    values = torch.cat([function(tokens) for tokens in rollout.tokens.split(minibatch_size)])
    return values * rollout.mask


AGENT = Agent(PPOConfig, train)

if __name__ == "__main__":
    run_from_cli(AGENT, __doc__)
