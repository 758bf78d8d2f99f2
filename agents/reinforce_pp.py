"""REINFORCE++: PPO's clipped loss without a critic (arXiv 2501.03262).

    python -m agents.reinforce_pp --policy runs/start --out runs/reinforce_pp --tasks arithmetic

The reward of a token is what it earned, minus ``kl_coef`` times the log-ratio to the starting policy (k1, in the
reward, where it is unbiased; ``kl_placement="loss"`` puts k3 into the loss instead). The advantage of a token is its
return, whitened over the whole iteration; with ``group_size`` above 1 the mean return of the group is taken off first
(the variant "with baseline").

Left out: nothing of the algorithm; the paper's mixture of data sets.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from agents.common.advantages import group_advantages, returns_to_go, whiten
from agents.common.cli import run_from_cli
from agents.common.config import RunConfig
from agents.common.losses import KLPlacement, aggregate, check_kl_placement, clipped_policy_loss, gradient_step, kl
from agents.common.rollout import Rollout, add_kl_penalty
from agents.common.run import Run


@dataclass(frozen=True)
class REINFORCEPPConfig(RunConfig):
    """Settings of REINFORCE++."""

    group_size: int = 1
    """Programs that answer each prompt; above 1 the mean of the group is the baseline."""
    update_epochs: int = 2
    """Passes over the programs of an iteration."""
    gamma: float = 1.0
    """Discount of one token."""
    clip_range: float = 0.2
    """How far the ratio to the sampling policy may move."""
    kl_coef: float = 0.0
    """Weight of KL against the starting policy."""
    kl_placement: KLPlacement = "reward"
    """"reward": k1 in the reward of each token; "loss": k3 in the loss."""

    def __post_init__(self) -> None:
        super().__post_init__()
        check_kl_placement(self.kl_placement)


def train(config: REINFORCEPPConfig, *, line_scorer: Any = None, tasks: Any = None, eval_tasks: Any = None) -> Run:
    """Train a policy.

    Args:
        config: settings.
        line_scorer: a process reward model, for rewards that read line scores.
        tasks: a task source, instead of ``config.tasks``.
        eval_tasks: a task source for ``config.eval_every``; None: the tasks that are trained on.
    """
    with Run(config, line_scorer=line_scorer, tasks=tasks, eval_tasks=eval_tasks) as run:
        reference = copy.deepcopy(run.model).eval().requires_grad_(False) if config.kl_coef else None
        optimizer = torch.optim.AdamW(run.model.parameters(), config.learning_rate, weight_decay=0.0)
        run.register(optimizer=optimizer)
        for iteration in run.iterations():
            rollout = run.collect(iteration, config.group_size)
            ref_log_probs = None if reference is None else run.reference_log_probs(rollout, reference)
            advantages = advantages_of(config, rollout, ref_log_probs)
            losses = []
            for epoch in range(config.update_epochs):
                for rows in run.minibatches(iteration, epoch, len(rollout.tokens)):
                    part = rollout.select(rows)
                    log_probs, _ = run.log_probs(part)
                    clip = config.clip_range
                    loss = clipped_policy_loss(log_probs, part.log_probs, advantages[rows], clip, clip)
                    if ref_log_probs is not None and config.kl_placement == "loss":
                        loss = loss + config.kl_coef * kl(log_probs, ref_log_probs[rows])
                    loss = aggregate(loss, part.mask)
                    gradient_step(optimizer, loss, run.model, config.max_grad_norm)
                    losses.append(float(loss.detach()))
            run.log(iteration, rollout, {"policy_loss": sum(losses) / len(losses)})
    return run


def advantages_of(config: REINFORCEPPConfig, rollout: Rollout, ref_log_probs: Tensor | None) -> Tensor:
    """Whitened returns of the tokens, [B, T]; ``anchor`` are log-probabilities under the starting policy, [B, T]."""
    rewards = add_kl_penalty(rollout, ref_log_probs, config.kl_placement, config.kl_coef).rewards
    returns = returns_to_go(rewards, rollout.mask, config.gamma)
    if config.group_size > 1:
        means = rewards.sum(1) - group_advantages(rewards.sum(1), rollout.groups, "none")
        returns = (returns - means[:, None]) * rollout.mask
    return whiten(returns, rollout.mask)


if __name__ == "__main__":
    run_from_cli(REINFORCEPPConfig, train, __doc__)
