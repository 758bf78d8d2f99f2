"""GRPO: group relative policy optimisation (DeepSeekMath, arXiv 2402.03300), with its later corrections as options.

    python -m agents.grpo --policy runs/start --out runs/grpo --tasks arithmetic --group-size 8

Several programs answer each prompt; the advantage of a program is its score minus the mean of its group, divided by the
group's standard deviation, and stands on all of its tokens.

Options: ``scale_rewards="none"`` and ``loss_type="constant"`` are Dr. GRPO (arXiv 2503.20783); ``clip_high=0.28``,
``loss_type="token_mean"`` and ``dynamic_sampling`` are DAPO (arXiv 2503.14476).

Left out: the process-supervised form, in which each step has an advantage of its own; sampling again until the batch is
full (with ``dynamic_sampling`` groups without differences are left out of the update, and the batch is smaller).
"""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from agents.common.advantages import Scale, group_advantages
from agents.common.cli import run_from_cli
from agents.common.config import RunConfig
from agents.common.losses import Aggregation, aggregate, clip_fraction, clipped_policy_loss, gradient_step, kl
from agents.common.rollout import Rollout
from agents.common.run import Run


@dataclass(frozen=True)
class GRPOConfig(RunConfig):
    """Settings of GRPO."""

    group_size: int = 8
    """Programs that answer each prompt."""
    update_epochs: int = 2
    """Passes over the programs of an iteration."""
    scale_rewards: Scale = "std"
    """Whether the advantages of a group are divided by its standard deviation."""
    loss_type: Aggregation = "sequence_mean"
    """How the losses of tokens make one number."""
    clip_low: float = 0.2
    """How far the ratio to the sampling policy may fall below 1."""
    clip_high: float = 0.2
    """How far it may rise above 1."""
    dynamic_sampling: bool = False
    """Leave out groups whose programs all have the same score."""
    kl_coef: float = 0.0
    """Weight of k3, KL against the starting policy, in the loss."""


def train(config: GRPOConfig, *, line_scorer: Any = None, tasks: Any = None, eval_tasks: Any = None) -> Run:
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
            advantages = group_advantages(rollout.scores, rollout.groups, config.scale_rewards)
            metrics = {"groups_with_differences": share_of_mixed_groups(rollout)}
            if config.dynamic_sampling:
                kept = advantages != 0
                learnt, advantages = rollout.select(kept), advantages[kept]
            else:
                learnt = rollout
            if len(learnt.tokens):
                metrics |= update(run, iteration, learnt, advantages, optimizer, reference)
            run.log(iteration, rollout, metrics)
    return run


def update(
    run: Run,
    iteration: int,
    rollout: Rollout,
    advantages: Tensor,
    optimizer: torch.optim.Optimizer,
    reference: nn.Module | None,
) -> dict[str, float]:
    """Some epochs of clipped gradient steps; ``advantages`` are [B]."""
    config = run.config
    assert isinstance(config, GRPOConfig)
    # the reference does not learn: what it says of these programs is the same in every epoch
    ref_log_probs = None if reference is None else run.reference_log_probs(rollout, reference)
    clipped = []
    for epoch in range(config.update_epochs):
        for rows in run.minibatches(iteration, epoch, len(rollout.tokens)):
            part = rollout.select(rows)
            log_probs, _ = run.log_probs(part)
            on_tokens = advantages[rows][:, None].expand_as(log_probs)
            losses = clipped_policy_loss(log_probs, part.log_probs, on_tokens, config.clip_low, config.clip_high)
            if ref_log_probs is not None:
                losses = losses + config.kl_coef * kl(log_probs, ref_log_probs[rows])
            loss = aggregate(losses, part.mask, config.loss_type, config.max_tokens)
            gradient_step(optimizer, loss, run.model, config.max_grad_norm)
            clipped.append(
                clip_fraction(log_probs.detach(), part.log_probs, part.mask, config.clip_low, config.clip_high)
            )
    return {"clip_fraction": sum(clipped) / len(clipped)}


def share_of_mixed_groups(rollout: Rollout) -> float:
    """Share of the groups whose programs do not all have the same score: the others teach nothing."""
    mixed = [rollout.scores[rollout.groups == group].unique().numel() > 1 for group in rollout.groups.unique()]
    return sum(mixed) / max(len(mixed), 1)


if __name__ == "__main__":
    run_from_cli(GRPOConfig, train, __doc__)
