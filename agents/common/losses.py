"""Losses of policies and critics, as pure functions.

Shapes: B programs, T positions; ``mask`` is True at the tokens that the policy chose.
"""

from __future__ import annotations

from typing import Literal, get_args

import torch
from torch import Tensor, nn

Aggregation = Literal["token_mean", "sequence_mean", "constant"]
KL = Literal["k1", "k2", "k3"]
KLPlacement = Literal["loss", "reward"]
"""Where KL against the starting policy stands: as k3 in the loss, or as k1 in the reward of each token."""


def aggregate(losses: Tensor, mask: Tensor, how: Aggregation = "token_mean", max_tokens: int | None = None) -> Tensor:
    """One number of the losses of many tokens.

    Args:
        losses: [B, T].
        mask: [B, T] bool.
        how: "token_mean" weighs all tokens alike (DAPO, arXiv 2503.14476); "sequence_mean" all programs, so tokens of
            a long one less (GRPO); "constant" divides the sum by B * ``max_tokens`` (Dr. GRPO, arXiv 2503.20783).
        max_tokens: of a completion, for "constant".
    """
    losses = losses * mask
    if how == "token_mean":
        return losses.sum() / mask.sum().clamp(min=1)
    if how == "sequence_mean":
        return (losses.sum(1) / mask.sum(1).clamp(min=1)).mean()
    if max_tokens is None:
        raise ValueError('aggregation "constant" needs max_tokens')
    return losses.sum() / (len(losses) * max_tokens)


def clipped_policy_loss(
    log_probs: Tensor, old_log_probs: Tensor, advantages: Tensor, clip_low: float = 0.2, clip_high: float = 0.2
) -> Tensor:
    """PPO's loss of each token, [B, T]: ``-min(rho A, clip(rho, 1 - low, 1 + high) A)`` (arXiv 1707.06347, equation 7).

    Args:
        log_probs: [B, T], of the chosen tokens under the policy that is trained.
        old_log_probs: [B, T], under the policy that sampled.
        advantages: [B, T].
        clip_low: how far the ratio may fall below 1.
        clip_high: how far it may rise above 1; DAPO's "clip higher" makes this the larger one.
    """
    ratio = (log_probs - old_log_probs).exp()
    return -torch.minimum(ratio * advantages, ratio.clamp(1 - clip_low, 1 + clip_high) * advantages)


def clip_fraction(log_probs: Tensor, old_log_probs: Tensor, mask: Tensor, clip_low: float, clip_high: float) -> float:
    """Share of the masked tokens whose ratio lies outside the clip range."""
    ratio = (log_probs - old_log_probs).exp()[mask]
    return float(((ratio < 1 - clip_low) | (ratio > 1 + clip_high)).float().mean()) if len(ratio) else 0.0


def value_loss(values: Tensor, returns: Tensor, old_values: Tensor, clip_range: float | None = None) -> Tensor:
    """Half the squared error of each value, [B, T]; clipped as in PPO's first implementation where a range is given."""
    loss = (values - returns) ** 2
    if clip_range is not None:
        clipped = old_values + (values - old_values).clamp(-clip_range, clip_range)
        loss = torch.maximum(loss, (clipped - returns) ** 2)
    return 0.5 * loss


def kl(log_probs: Tensor, reference_log_probs: Tensor, form: KL = "k3") -> Tensor:
    """Estimate of KL(policy || reference) from each chosen token, [B, T] (Schulman's k1, k2, k3).

    k1, the log-ratio, is unbiased and noisy: it belongs into the reward. k3 is never negative and less noisy; in the
    loss its gradient is that of a biased objective.
    """
    log_ratio = reference_log_probs - log_probs
    if form == "k1":
        return -log_ratio
    if form == "k2":
        return 0.5 * log_ratio**2
    return log_ratio.exp() - log_ratio - 1


def check_kl_placement(kl_placement: str) -> None:
    """Raise ``ValueError`` where there is no such place for KL."""
    if kl_placement not in get_args(KLPlacement):
        raise ValueError(f'kl_placement must be "loss" or "reward", got {kl_placement!r}')


def penalize_rewards(
    rewards: Tensor, log_probs: Tensor, reference_log_probs: Tensor, mask: Tensor, kl_coef: float
) -> Tensor:
    """Rewards minus ``kl_coef`` times k1 of each chosen token, [B, T]: KL against a reference, in the reward.

    Args:
        rewards: [B, T].
        log_probs: [B, T], of the chosen tokens under the policy that sampled them; the term has no gradient.
        reference_log_probs: [B, T], under the policy that it is to stay close to.
        mask: [B, T] bool.
        kl_coef: weight of the term.
    """
    return rewards - kl_coef * kl(log_probs, reference_log_probs, "k1") * mask


def gradient_step(optimizer: torch.optim.Optimizer, loss: Tensor, module: nn.Module, max_grad_norm: float) -> None:
    """Take one gradient step, the gradient scaled down to ``max_grad_norm`` where it is larger."""
    optimizer.zero_grad()
    loss.backward()
    nn.utils.clip_grad_norm_(module.parameters(), max_grad_norm)
    optimizer.step()
