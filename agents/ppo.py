"""PPO: proximal policy optimisation, token by token, with a critic (Schulman et al., arXiv 1707.06347).

    python -m agents.ppo --policy runs/start --out runs/ppo --tasks arithmetic

What a program earned stands on the tokens that earned it (the credit of the environment), the critic says what was to
be expected before each token, generalised advantage estimation makes advantages of both.

The critic starts from one of three (``value_init``; the last two are PSGPO's "value initialisation", arXiv 2410.17621,
which does not say which of them it means):

- "none": a copy of the policy's trunk with a zero head;
- "weights": a copy of the process reward model's trunk and head; it must have the policy's tokenizer;
- "distilled": as "none", then trained on what the line scorer says of some thousand programs of the policy, which need
  no labels, no run and no common tokenizer.

Then it is fitted to the returns by an affine map and trained alone for ``critic_warmup`` iterations.
``mc_explained_variance`` in the log says how good it is, at its start and just before the policy's first update.

Left out: a KL term against the starting policy is off unless ``kl_coef`` is set, as in most later work; parallel
actors; a shared trunk of policy and critic.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, get_args

import torch
from torch import Tensor

from agents.common.advantages import explained_variance, gae, returns_to_go, whiten
from agents.common.cli import run_from_cli
from agents.common.config import RunConfig
from agents.common.losses import (
    KLPlacement,
    aggregate,
    check_kl_placement,
    clip_fraction,
    clipped_policy_loss,
    gradient_step,
    kl,
)
from agents.common.rollout import Rollout, add_kl_penalty
from agents.common.run import Run
from agents.critics.critic import Critic, ValueInit, distill, first_critic, fit_step, scored_programs
from agents.critics.monte_carlo import mc_explained_variance, sampled_returns, states_of


@dataclass(frozen=True)
class PPOConfig(RunConfig):
    """Settings of PPO."""

    update_epochs: int = 2
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
    """Weight of KL against the starting policy."""
    kl_placement: KLPlacement = "loss"
    """"loss": k3 in the loss, as in GRPO; "reward": k1 in the reward of each token, which advantages and values see, as
    in RLHF (Ziegler et al., arXiv 1909.08593)."""
    normalize_advantages: bool = False
    """Whiten the advantages of an iteration; with rewards that are mostly 0 this blows up noise."""
    critic_learning_rate: float = 1e-3
    """Of the critic."""
    critic_epochs: int = 4
    """Passes of the critic over the programs of an iteration."""
    critic_warmup: int = 1
    """Iterations in which only the critic learns."""
    recalibrate: bool = False
    """Fit the critic to the returns once more just before the policy's first update, on programs that it has not seen:
    what it has learnt by heart in the warm-up, and does not hold for others, is scaled down."""
    value_init: ValueInit = "none"
    """What the critic starts from; the line scorer that is handed over is the process reward model."""
    distill_batches: int = 8
    """Iterations' worth of programs that a "distilled" critic learns line scores from; with one it learns them by
    heart, and knows nothing of other programs."""
    distill_epochs: int = 16
    """Passes over them."""
    mc_completions: int = 0
    """Completions of a state to measure the critic by, twice in a run; 0 leaves that out."""
    mc_states: int = 64
    """States, prompts and line ends of sampled programs, to measure it at."""

    def __post_init__(self) -> None:
        super().__post_init__()
        check_kl_placement(self.kl_placement)
        if self.value_init not in get_args(ValueInit):
            raise ValueError(f'value_init must be "none", "weights" or "distilled", got {self.value_init!r}')
        if min(self.distill_batches, self.distill_epochs) < 1:
            raise ValueError(
                f"distill_batches and distill_epochs must be at least 1, got {self.distill_batches} and "
                f"{self.distill_epochs}"
            )
        if self.mc_completions < 0 or self.mc_completions == 1 or self.mc_states < 2:
            raise ValueError(
                f"mc_completions={self.mc_completions} with mc_states={self.mc_states}: wanted 0 completions or at "
                "least 2 (one says nothing of its noise), and at least 2 states"
            )


def train(
    config: PPOConfig,
    *,
    critic: Critic | None = None,
    line_scorer: Any = None,
    tasks: Any = None,
    eval_tasks: Any = None,
) -> Run:
    """Train a policy.

    Args:
        config: settings.
        critic: instead of ``config.value_init``.
        line_scorer: a process reward model, for rewards that read line scores and for ``config.value_init``.
        tasks: a task source, instead of ``config.tasks``.
        eval_tasks: a task source for ``config.eval_every``; None: the tasks that are trained on.
    """
    with Run(config, line_scorer=line_scorer, tasks=tasks, eval_tasks=eval_tasks) as run:
        critic = first_critic(run, config.value_init, critic)
        reference = copy.deepcopy(run.model).eval().requires_grad_(False) if config.kl_coef else None
        actor_optimizer = torch.optim.AdamW(run.model.parameters(), config.learning_rate, weight_decay=0.0)
        critic_optimizer = torch.optim.AdamW(critic.parameters(), config.critic_learning_rate, weight_decay=0.0)
        run.register(critic=critic, actor_optimizer=actor_optimizer, critic_optimizer=critic_optimizer)
        for iteration in run.iterations():
            rollout = run.collect(iteration)
            # the reference does not learn: what it says of these programs is the same in every epoch
            ref_log_probs = None if reference is None else run.reference_log_probs(rollout, reference)
            rewards = add_kl_penalty(rollout, ref_log_probs, config.kl_placement, config.kl_coef).rewards
            returns = returns_to_go(rewards, rollout.mask, config.gamma)
            values = predict_values(run, config, iteration, critic, rollout, returns)
            metrics = {"explained_variance": explained_variance(values, returns, rollout.mask)}
            if config.mc_completions and iteration in (0, config.critic_warmup):
                metrics["mc_explained_variance"] = mc_value_quality(run, config, iteration, rollout, values)
            advantages = gae(rewards, values, rollout.mask, config.gamma, config.gae_lambda)
            if config.normalize_advantages:
                advantages = whiten(advantages, rollout.mask)
            # Where all programs earned the same, advantages are nothing but the critic's errors, and Adam makes full
            # steps of however small ones: a policy that rarely passes would forget its start between two successes.
            if iteration >= config.critic_warmup and bool(returns[rollout.mask].var() > 0):
                metrics |= update_policy(run, iteration, rollout, advantages, actor_optimizer, ref_log_probs)
            # The targets of the critic are returns, not advantages plus values: with lambda 1 they are the same.
            metrics |= update_critic(run, iteration, rollout, critic, returns, critic_optimizer)
            run.log(iteration, rollout, metrics)
    return run


def predict_values(
    run: Run, config: PPOConfig, iteration: int, critic: Critic, rollout: Rollout, returns: Tensor
) -> Tensor:
    """Values before each token, [B, T], of a critic that is distilled and calibrated first, where that is due."""
    if iteration == 0 and config.value_init == "distilled":
        distill_scores(run, config, critic)
    again = config.recalibrate and iteration == config.critic_warmup
    if iteration == 0 or critic.is_uncalibrated or again:
        critic.calibrate(
            evaluate_in_minibatches(critic.raw_values, rollout, config.minibatch_size), returns, rollout.mask
        )
    return evaluate_in_minibatches(critic, rollout, config.minibatch_size)


def distill_scores(run: Run, config: PPOConfig, critic: Critic) -> None:
    """Distil the line scorer into the critic, before anything is learnt from returns."""
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


def mc_value_quality(run: Run, config: PPOConfig, iteration: int, rollout: Rollout, values: Tensor) -> float:
    """Explained variance of the critic against the mean returns of many completions of some states."""
    programs, generator = run.last_steps(rollout), run.generator(iteration, "true values")
    states = states_of(rollout, programs)
    order = torch.randperm(len(states), generator=generator)[: config.mc_states]
    chosen = [states[index] for index in order.tolist()]
    returns = sampled_returns(run, rollout, programs, chosen, config.mc_completions, generator, config.gamma)
    return mc_explained_variance(torch.stack([values[state.row, state.place] for state in chosen]), returns)


def update_policy(
    run: Run,
    iteration: int,
    rollout: Rollout,
    advantages: Tensor,
    optimizer: torch.optim.Optimizer,
    ref_log_probs: Tensor | None,
) -> dict[str, float]:
    """Some epochs of clipped gradient steps; ``anchor`` are log-probabilities under the starting policy, [B, T]."""
    config = run.config
    assert isinstance(config, PPOConfig)
    clipped = []
    for epoch in range(config.update_epochs):
        for rows in run.minibatches(iteration, epoch, len(rollout.tokens)):
            part = rollout.select(rows)
            log_probs, entropy = run.log_probs(part)
            losses = clipped_policy_loss(
                log_probs, part.log_probs, advantages[rows], config.clip_range, config.clip_range
            )
            losses = losses - config.ent_coef * entropy
            if ref_log_probs is not None and config.kl_placement == "loss":
                losses = losses + config.kl_coef * kl(log_probs, ref_log_probs[rows])
            gradient_step(optimizer, aggregate(losses, part.mask), run.model, config.max_grad_norm)
            outside = clip_fraction(log_probs.detach(), part.log_probs, part.mask, config.clip_range, config.clip_range)
            clipped.append(outside)
    return {"clip_fraction": sum(clipped) / len(clipped)}


def update_critic(
    run: Run, iteration: int, rollout: Rollout, critic: Critic, returns: Tensor, optimizer: torch.optim.Optimizer
) -> dict[str, float]:
    """Some epochs of regression of the values to the returns."""
    config = run.config
    assert isinstance(config, PPOConfig)
    losses = [
        fit_step(critic, rollout.tokens[rows], returns[rows], rollout.mask[rows], optimizer, config.max_grad_norm)
        for epoch in range(config.critic_epochs)
        for rows in run.minibatches(iteration, 100 + epoch, len(rollout.tokens))
    ]
    return {"value_loss": sum(losses) / len(losses)} if losses else {}


@torch.no_grad()
def evaluate_in_minibatches(function: Callable[[Tensor], Tensor], rollout: Rollout, minibatch_size: int) -> Tensor:
    """Values of all states, [B, T], by a function from tokens to values; 0 outside the mask."""
    values = torch.cat([function(tokens) for tokens in rollout.tokens.split(minibatch_size)])
    return values * rollout.mask


if __name__ == "__main__":
    run_from_cli(PPOConfig, train, __doc__)
