"""REINFORCE++: PPO's clipped loss without a critic (arXiv 2501.03262).

    python -m agents.reinforce_pp --policy runs/start --out runs/reinforce_pp --tasks pipelines

The reward of a token is what it earned minus ``kl_coef`` times the log-ratio to the starting policy (k1, which is
unbiased in the reward; ``kl_placement="loss"`` puts k3 into the loss instead). The advantage of a token is its return,
whitened over the whole iteration. With ``group_size`` above 1 the mean return of the group is subtracted first (the
variant "with baseline").

Left out: nothing of the algorithm; the paper's mixture of data sets.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Unpack

import torch
from torch import Tensor

from agents.common.advantages import group_advantages, returns_to_go, whiten
from agents.common.cli import run_from_cli
from agents.common.config import RunConfig, RunInputs
from agents.common.log import mean_metrics
from agents.common.losses import KLPlacement, aggregate, check_kl_placement, clip_fraction, clipped_policy_loss, kl
from agents.common.rollout import Rollout, add_kl_penalty
from agents.common.run import Run
from agents.registry import Agent


@dataclass(frozen=True)
class REINFORCEPPConfig(RunConfig):
    """Configuration of REINFORCE++."""

    out: Path = Path("runs/reinforce_pp")
    """Folder of the run. If it already holds a run with this configuration, training resumes."""
    group_size: int = 1
    """Programs that answer each prompt. Above 1 the mean return of the group is the baseline."""
    update_epochs: int = 2
    """Passes over the programs of an iteration."""
    gamma: float = 1.0
    """Discount per token."""
    clip_range: float = 0.2
    """Largest distance of the probability ratio to the sampling policy from 1."""
    kl_coef: float = 0.0
    """Weight of the KL divergence from the starting policy."""
    kl_placement: KLPlacement = "reward"
    """Place at which the divergence is charged: "reward", as k1 in the reward of each token, or "loss", as k3."""

    def __post_init__(self) -> None:
        super().__post_init__()
        check_kl_placement(self.kl_placement)


def train(config: REINFORCEPPConfig, **inputs: Unpack[RunInputs]) -> Run[REINFORCEPPConfig]:
    """Train a policy with REINFORCE++ and return the finished run.

    Args:
        config: Configuration of the run.
        **inputs: Objects that replace names in ``config``; see ``RunInputs``.
    """
    with Run(config, **inputs) as run:
        reference = run.make_reference(config.kl_coef)
        optimizer = torch.optim.AdamW(run.model.parameters(), config.learning_rate, weight_decay=0.0)
        run.register(optimizer=optimizer)
        for iteration in run.iterations():
            rollout = run.collect(iteration, config.group_size)
            ref_log_probs = None if reference is None else run.reference_log_probs(rollout, reference)
            advantages = whitened_returns(config, rollout, ref_log_probs)
            steps, clip = [], (config.clip_range, config.clip_range)
            for epoch in range(config.update_epochs):
                for rows in run.minibatches(iteration, epoch, len(rollout.tokens)):
                    part = rollout.select(rows)
                    log_probs, entropy = run.log_probs(part)
                    losses = clipped_policy_loss(log_probs, part.log_probs, advantages[rows], *clip)
                    if ref_log_probs is not None and config.kl_placement == "loss":
                        losses = losses + config.kl_coef * kl(log_probs, ref_log_probs[rows])
                    loss = aggregate(losses, part.mask)
                    metrics = run.policy_step(optimizer, loss, part, log_probs, entropy)
                    outside = clip_fraction(log_probs.detach(), part.log_probs, part.mask, *clip)
                    steps.append(metrics | {"losses/clip_fraction": outside})
            run.log(iteration, rollout, mean_metrics(steps))
    return run


def whitened_returns(config: REINFORCEPPConfig, rollout: Rollout, ref_log_probs: Tensor | None) -> Tensor:
    """Return the advantage of each token, [B, T]: its return, whitened over the iteration.

    Args:
        config: Configuration of the run.
        rollout: Programs of the iteration.
        ref_log_probs: Log-probability of each chosen token under the starting policy, [B, T], or None.
    """
    rewards = add_kl_penalty(rollout, ref_log_probs, config.kl_placement, config.kl_coef).rewards
    returns = returns_to_go(rewards, rollout.mask, config.gamma)
    if config.group_size > 1:
        means = rewards.sum(1) - group_advantages(rewards.sum(1), rollout.groups, "none")
        returns = (returns - means[:, None]) * rollout.mask
    return whiten(returns, rollout.mask)


AGENT = Agent(REINFORCEPPConfig, train)

if __name__ == "__main__":
    run_from_cli(AGENT, __doc__)
