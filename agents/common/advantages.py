"""Returns and advantages of whole programs, as pure functions.

Shapes: B programs, T positions of prompt and completion. ``mask`` is True at the tokens that the policy chose. A reward
is at the token that earned it, a value at the token that was chosen in that state. Every program has terminated after
its last token (a rollout leaves out those that could not be judged), so nothing is bootstrapped.
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

ScaleRewards = Literal["none", "std"]
"""Whether advantages of a group are divided by its standard deviation."""


def returns_to_go(rewards: Tensor, mask: Tensor, gamma: float = 1.0) -> Tensor:
    """Return the discounted sum of the rewards of each token and all later ones, [B, T]; 0 outside ``mask``.

    Args:
        rewards: Reward of each token, [B, T].
        mask: Tokens that the policy chose, bool [B, T].
        gamma: Discount per token.
    """
    returns = torch.zeros_like(rewards)
    running = torch.zeros_like(rewards[:, 0])
    for t in range(rewards.shape[1] - 1, -1, -1):
        running = torch.where(mask[:, t], rewards[:, t] + gamma * running, running)
        returns[:, t] = torch.where(mask[:, t], running, 0.0)
    return returns


def gae(rewards: Tensor, values: Tensor, mask: Tensor, gamma: float = 1.0, gae_lambda: float = 1.0) -> Tensor:
    """Return generalized advantage estimates, [B, T]; 0 outside ``mask``.

    ``A_t = sum_k (gamma lambda)^k delta_(t+k)`` with ``delta_t = r_t + gamma V_(t+1) - V_t`` and V = 0 after the end
    (Schulman et al., arXiv 1506.02438, equation 16).

    Args:
        rewards: Reward of each token, [B, T].
        values: Value of the state before each token, [B, T].
        mask: Tokens that the policy chose, bool [B, T].
        gamma: Discount per token.
        gae_lambda: 1 gives the return minus the value, 0 the one-step error.
    """
    advantages = torch.zeros_like(rewards)
    running = torch.zeros_like(rewards[:, 0])
    next_value = torch.zeros_like(rewards[:, 0])
    for t in range(rewards.shape[1] - 1, -1, -1):
        here = mask[:, t]
        delta = rewards[:, t] + gamma * next_value - values[:, t]
        running = torch.where(here, delta + gamma * gae_lambda * running, running)
        next_value = torch.where(here, values[:, t], next_value)
        advantages[:, t] = torch.where(here, running, 0.0)
    return advantages


def group_advantages(scores: Tensor, groups: Tensor, scale_rewards: ScaleRewards = "std") -> Tensor:
    """Return the score of each program minus the mean of its group, [B] (GRPO, arXiv 2402.03300, section 4.1.2).

    Args:
        scores: Total reward of each program, [B].
        groups: Group of each program, int [B]; programs of a group answer the same prompt.
        scale_rewards: "std" divides by the sample standard deviation of the group; "none" does not (Dr. GRPO,
            arXiv 2503.20783).
    """
    advantages = torch.empty_like(scores)
    for group in groups.unique():
        rows = groups == group
        members = scores[rows].double()  # division by the deviation of nearly equal scores amplifies rounding
        centred = members - members.mean()
        if scale_rewards == "std" and len(members) > 1:
            centred = centred / (members.std() + 1e-6)
        advantages[rows] = centred.to(scores.dtype)
    return advantages


def leave_one_out(scores: Tensor, groups: Tensor) -> Tensor:
    """Return the score of each program minus the mean of the others of its group, [B] (RLOO, arXiv 2402.14740).

    A program that is alone in its group has no baseline: its advantage is 0.

    Args:
        scores: Total reward of each program, [B].
        groups: Group of each program, int [B].
    """
    advantages = torch.zeros_like(scores)
    for group in groups.unique():
        rows = groups == group
        size = int(rows.sum())
        if size > 1:
            advantages[rows] = (scores[rows] - scores[rows].mean()) * size / (size - 1)
    return advantages


def whiten(advantages: Tensor, mask: Tensor) -> Tensor:
    """Return advantages shifted and scaled to mean 0 and standard deviation 1; 0 outside ``mask``.

    Args:
        advantages: Advantage of each token, [B, T].
        mask: Tokens that the policy chose, bool [B, T].
    """
    chosen = advantages[mask]
    if len(chosen) < 2:
        return torch.zeros_like(advantages)
    return torch.where(mask, (advantages - chosen.mean()) / (chosen.std() + 1e-8), 0.0)


def explained_variance(values: Tensor, returns: Tensor, mask: Tensor) -> float:
    """Return the share of the variance of the returns that the values explain: 1 is perfect, 0 is that of their mean.

    Args:
        values: Value of the state before each token, [B, T].
        returns: Returns, [B, T].
        mask: Tokens that the policy chose, bool [B, T].
    """
    errors, truth = (returns - values)[mask], returns[mask]
    variance = truth.var(unbiased=False)
    return float("nan") if variance == 0 else float(1 - errors.var(unbiased=False) / variance)
