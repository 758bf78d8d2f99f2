"""Returns and advantages of whole programs, as pure functions; each has one right answer.

Shapes: B programs, T positions of prompt and completion. ``mask`` is True at the tokens that the policy chose; rewards
and values stand at the token, values being those of the state before it was chosen. Every program has terminated after
its last token: what has not (the machine failed) is left out of a rollout, so nothing is bootstrapped.
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

Scale = Literal["none", "std"]


def returns_to_go(rewards: Tensor, mask: Tensor, gamma: float = 1.0) -> Tensor:
    """Discounted sum of the rewards from each token on, [B, T]; 0 outside ``mask``.

    Args:
        rewards: [B, T].
        mask: [B, T] bool.
        gamma: discount of one token.
    """
    returns = torch.zeros_like(rewards)
    running = torch.zeros_like(rewards[:, 0])
    for t in range(rewards.shape[1] - 1, -1, -1):
        running = torch.where(mask[:, t], rewards[:, t] + gamma * running, running)
        returns[:, t] = torch.where(mask[:, t], running, 0.0)
    return returns


def gae(rewards: Tensor, values: Tensor, mask: Tensor, gamma: float = 1.0, gae_lambda: float = 1.0) -> Tensor:
    """Generalised advantage estimates, [B, T] (Schulman et al., arXiv 1506.02438, equation 16); 0 outside ``mask``.

    ``A_t = sum_k (gamma lambda)^k delta_(t+k)`` with ``delta_t = r_t + gamma V_(t+1) - V_t`` and V = 0 after the end.

    Args:
        rewards: [B, T].
        values: [B, T], of the state before each token.
        mask: [B, T] bool.
        gamma: discount of one token.
        gae_lambda: 1 is the return minus the value, 0 the one-step error.
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


def group_advantages(scores: Tensor, groups: Tensor, scale: Scale = "std") -> Tensor:
    """Score of each program minus the mean of its group, [B] (GRPO, arXiv 2402.03300, section 4.1.2).

    Args:
        scores: [B].
        groups: [B] int, programs with the same number answer the same prompt.
        scale: "std" divides by the sample standard deviation of the group; "none" does not (Dr. GRPO, 2503.20783).
    """
    advantages = torch.empty_like(scores)
    for group in groups.unique():
        rows = groups == group
        members = scores[rows].double()  # nearly equal scores: the deviation would blow up errors of rounding
        centred = members - members.mean()
        if scale == "std" and len(members) > 1:
            centred = centred / (members.std() + 1e-6)
        advantages[rows] = centred.to(scores.dtype)
    return advantages


def leave_one_out(scores: Tensor, groups: Tensor) -> Tensor:
    """Score of each program minus the mean of the others of its group, [B] (RLOO, arXiv 2402.14740).

    A program without others has no baseline: its advantage is 0.
    """
    advantages = torch.zeros_like(scores)
    for group in groups.unique():
        rows = groups == group
        size = int(rows.sum())
        if size > 1:
            advantages[rows] = (scores[rows] - scores[rows].mean()) * size / (size - 1)
    return advantages


def whiten(advantages: Tensor, mask: Tensor) -> Tensor:
    """Shift and scale so that the masked entries have mean 0 and standard deviation 1; 0 outside ``mask``."""
    chosen = advantages[mask]
    if len(chosen) < 2:
        return torch.zeros_like(advantages)
    return torch.where(mask, (advantages - chosen.mean()) / (chosen.std() + 1e-8), 0.0)


def explained_variance(values: Tensor, returns: Tensor, mask: Tensor) -> float:
    """Share of the variance of the returns that the values explain; 1 is perfect, 0 no better than their mean."""
    errors, truth = (returns - values)[mask], returns[mask]
    variance = truth.var(unbiased=False)
    return float("nan") if variance == 0 else float(1 - errors.var(unbiased=False) / variance)
