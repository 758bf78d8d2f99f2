"""GRPO: group relative policy optimization (DeepSeekMath, arXiv 2402.03300), with its later corrections as options.

    python -m agents.grpo --policy runs/start --out runs/grpo --tasks pipelines --group-size 8

Several programs answer each prompt. The advantage of a program is its score minus the mean of its group, divided by the
group's standard deviation, and applies to all of its tokens.

Options: ``scale_rewards="none"`` and ``loss_type="constant"`` are Dr. GRPO (arXiv 2503.20783); ``clip_high=0.28``,
``loss_type="token_mean"`` and ``dynamic_sampling`` are DAPO (arXiv 2503.14476).

Left out: the process-supervised form, in which each step has its own advantage; sampling until the batch is full (with
``dynamic_sampling`` groups of equal scores are left out of the update, and the batch is smaller).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Unpack

import torch
from torch import Tensor

from agents.common.advantages import ScaleRewards, group_advantages
from agents.common.cli import run_from_cli
from agents.common.config import RunConfig, RunInputs
from agents.common.log import Metrics, mean_metrics
from agents.common.losses import LossType, aggregate, clip_fraction, clipped_policy_loss, kl
from agents.common.rollout import Rollout
from agents.common.run import Run
from agents.registry import Agent


@dataclass(frozen=True)
class GRPOConfig(RunConfig):
    """Configuration of GRPO."""

    out: Path = Path("runs/grpo")
    """Folder of the run. If it already holds a run with this configuration, training resumes."""
    group_size: int = 8
    """Programs that answer each prompt."""
    update_epochs: int = 2
    """Passes over the programs of an iteration."""
    scale_rewards: ScaleRewards = "std"
    """"std" divides the advantages of a group by its standard deviation; "none" does not."""
    loss_type: LossType = "sequence_mean"
    """Average of the losses of tokens: over all tokens, first over those of a program, or a sum over a constant."""
    clip_low: float = 0.2
    """Largest amount by which the probability ratio to the sampling policy may fall below 1."""
    clip_high: float = 0.2
    """Largest amount by which the probability ratio to the sampling policy may rise above 1."""
    dynamic_sampling: bool = False
    """Leave out groups whose programs all have the same score."""
    kl_coef: float = 0.0
    """Weight of the KL divergence from the starting policy, as k3 in the loss."""


def train(config: GRPOConfig, **inputs: Unpack[RunInputs]) -> Run[GRPOConfig]:
    """Train a policy with GRPO and return the finished run.

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
            advantages = group_advantages(rollout.scores, rollout.groups, config.scale_rewards)
            metrics = {"charts/mixed_groups": share_of_mixed_groups(rollout)}
            if config.dynamic_sampling:
                kept = advantages != 0
                learned, advantages = rollout.select(kept), advantages[kept]
            else:
                learned = rollout
            if len(learned.tokens):
                ref_log_probs = None if reference is None else run.reference_log_probs(learned, reference)
                metrics |= update(run, iteration, learned, advantages, optimizer, ref_log_probs)
            run.log(iteration, rollout, metrics)
    return run


def update(
    run: Run[GRPOConfig],
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
        rollout: Programs to learn from.
        advantages: Advantage of each program, [B].
        optimizer: Optimizer of the policy.
        ref_log_probs: Log-probability of each chosen token under the starting policy, [B, T], or None.
    """
    config, steps = run.config, list[dict[str, float]]()
    for epoch in range(config.update_epochs):
        for rows in run.minibatches(iteration, epoch, len(rollout.tokens)):
            part, clip = rollout.select(rows), (config.clip_low, config.clip_high)
            log_probs, entropy = run.log_probs(part)
            on_tokens = advantages[rows][:, None].expand_as(log_probs)
            losses = clipped_policy_loss(log_probs, part.log_probs, on_tokens, *clip)
            if ref_log_probs is not None:
                losses = losses + config.kl_coef * kl(log_probs, ref_log_probs[rows])
            loss = aggregate(losses, part.mask, config.loss_type, config.max_tokens)
            metrics = run.policy_step(optimizer, loss, part, log_probs, entropy)
            outside = clip_fraction(log_probs.detach(), part.log_probs, part.mask, *clip)
            steps.append(metrics | {"losses/clip_fraction": outside})
    return mean_metrics(steps)


def share_of_mixed_groups(rollout: Rollout) -> float:
    """Return the share of the groups of ``rollout`` whose scores differ; other groups have zero advantages."""
    mixed = [rollout.scores[rollout.groups == group].unique().numel() > 1 for group in rollout.groups.unique()]
    return float(sum(mixed) / max(len(mixed), 1))


AGENT = Agent(GRPOConfig, train)

if __name__ == "__main__":
    run_from_cli(AGENT, __doc__)
