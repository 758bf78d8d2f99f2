"""PPO: proximal policy optimisation, token by token, with a critic (Schulman et al., arXiv 1707.06347).

    python -m agents.ppo --policy runs/start --out runs/ppo --tasks arithmetic

What a program earned stands on the tokens that earned it (the credit of the environment), the critic says what was to
be expected before each token, generalised advantage estimation makes advantages of both. The critic starts as a copy of
the policy's trunk with a zero head, or from a process reward model (PSGPO, arXiv 2410.17621, "value initialisation"),
which is first fitted to the returns by an affine map and then trained alone for some iterations.

Left out: a KL term against the starting policy is off unless ``kl_coef`` is set, as in most later work; parallel
actors; a shared trunk of policy and critic.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from agents.common.advantages import explained_variance, gae, returns_to_go, whiten
from agents.common.critic import Critic, critic_of
from agents.common.losses import aggregate, clip_share, clipped_policy_loss, descend, kl, value_loss
from agents.common.rollout import Rollout
from agents.common.run import Run, RunConfig
from agents.common.shell import run_from_shell


@dataclass(frozen=True)
class PPOConfig(RunConfig):
    """Settings of PPO."""

    epochs: int = 2
    """Passes over the programs of an iteration."""
    gamma: float = 1.0
    """Discount of one token."""
    gae_lambda: float = 1.0
    """1: advantages are returns minus values. Smaller values trust the critic more."""
    clip_range: float = 0.2
    """How far the ratio to the sampling policy may move."""
    ent_coef: float = 0.0
    """Weight of the entropy bonus."""
    kl_coef: float = 0.0
    """Weight of k3, KL against the starting policy, in the loss."""
    normalize_advantages: bool = False
    """Whiten the advantages of an iteration; with rewards that are mostly 0 this blows up noise."""
    critic_learning_rate: float = 1e-3
    """Of the critic."""
    critic_epochs: int = 4
    """Passes of the critic over the programs of an iteration."""
    critic_warmup: int = 1
    """Iterations in which only the critic learns."""


def train(config: PPOConfig, *, critic: Critic | None = None, line_scorer: Any = None, tasks: Any = None) -> Run:
    """Train a policy.

    Args:
        config: settings.
        critic: where it starts from, such as a process reward model; None is the policy's trunk with a zero head.
        line_scorer: a process reward model, for rewards that read line scores.
        tasks: a task source, instead of ``config.tasks``.
    """
    with Run(config, line_scorer=line_scorer, tasks=tasks) as run:
        critic = critic or critic_of(run.model)
        reference = copy.deepcopy(run.model).eval().requires_grad_(False) if config.kl_coef else None
        actor_optimizer = torch.optim.AdamW(run.model.parameters(), config.learning_rate, weight_decay=0.0)
        critic_optimizer = torch.optim.AdamW(critic.parameters(), config.critic_learning_rate, weight_decay=0.0)
        run.keep(critic=critic, actor_optimizer=actor_optimizer, critic_optimizer=critic_optimizer)
        for iteration in run.iterations():
            rollout = run.collect(iteration)
            returns = returns_to_go(rollout.rewards, rollout.mask, config.gamma)
            values = values_of(critic, rollout, config.minibatch)
            if iteration == 0:
                critic.calibrate(values, returns, rollout.mask)
                values = values_of(critic, rollout, config.minibatch)
            said = {"explained_variance": explained_variance(values, returns, rollout.mask)}
            advantages = gae(rollout.rewards, values, rollout.mask, config.gamma, config.gae_lambda)
            if config.normalize_advantages:
                advantages = whiten(advantages, rollout.mask)
            if iteration >= config.critic_warmup:
                said |= update_policy(run, iteration, rollout, advantages, actor_optimizer, reference)
            # The targets of the critic are returns, not advantages plus values: with lambda 1 they are the same.
            said |= update_critic(run, iteration, rollout, critic, returns, critic_optimizer)
            run.log(iteration, rollout, said)
    return run


def update_policy(
    run: Run,
    iteration: int,
    rollout: Rollout,
    advantages: Tensor,
    optimizer: torch.optim.Optimizer,
    reference: nn.Module | None,
) -> dict[str, float]:
    """Some epochs of clipped gradient steps."""
    config = run.config
    assert isinstance(config, PPOConfig)
    # the reference does not learn: what it says of these programs is the same in every epoch
    anchor = None if reference is None else run.reference_log_probs(rollout, reference)
    clipped = []
    for epoch in range(config.epochs):
        for rows in run.minibatches(iteration, epoch, len(rollout.tokens)):
            part = rollout.select(rows)
            log_probs, entropy = run.log_probs(part)
            losses = clipped_policy_loss(
                log_probs, part.log_probs, advantages[rows], config.clip_range, config.clip_range
            )
            losses = losses - config.ent_coef * entropy
            if anchor is not None:
                losses = losses + config.kl_coef * kl(log_probs, anchor[rows])
            descend(optimizer, aggregate(losses, part.mask), run.model, config.max_grad_norm)
            outside = clip_share(log_probs.detach(), part.log_probs, part.mask, config.clip_range, config.clip_range)
            clipped.append(outside)
    return {"clip_share": sum(clipped) / len(clipped)}


def update_critic(
    run: Run, iteration: int, rollout: Rollout, critic: Critic, returns: Tensor, optimizer: torch.optim.Optimizer
) -> dict[str, float]:
    """Some epochs of regression of the values to the returns."""
    config = run.config
    assert isinstance(config, PPOConfig)
    losses = []
    for epoch in range(config.critic_epochs):
        for rows in run.minibatches(iteration, 100 + epoch, len(rollout.tokens)):
            values = critic(rollout.tokens[rows])
            loss = aggregate(value_loss(values, returns[rows], values), rollout.mask[rows])
            descend(optimizer, loss, critic, config.max_grad_norm)
            losses.append(float(loss.detach()))
    return {"value_loss": sum(losses) / len(losses)}


@torch.no_grad()
def values_of(critic: Critic, rollout: Rollout, minibatch: int) -> Tensor:
    """Values of all states, [B, T]; 0 outside the mask."""
    values = torch.cat([critic(tokens) for tokens in rollout.tokens.split(minibatch)])
    return values * rollout.mask


if __name__ == "__main__":
    run_from_shell(PPOConfig, train, __doc__)
