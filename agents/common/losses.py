"""Losses of policies and critics, as pure functions.

Shapes: B programs, T positions. ``mask`` is True at the tokens that the policy chose.
"""

from __future__ import annotations

from typing import Literal, get_args

import torch
from torch import Tensor, nn

LossType = Literal["token_mean", "sequence_mean", "constant"]
"""Average of the losses of tokens; see ``aggregate``."""
KLEstimator = Literal["k1", "k2", "k3"]
"""Estimator of a KL divergence from samples; see ``kl``."""
KLPlacement = Literal["loss", "reward"]
"""Place at which the KL divergence from the starting policy is charged: k3 in the loss, or k1 in the rewards."""


def aggregate(losses: Tensor, mask: Tensor, how: LossType = "token_mean", max_tokens: int | None = None) -> Tensor:
    """Return one number for the losses of many tokens.

    Args:
        losses: Loss of each token, [B, T].
        mask: Tokens that count, bool [B, T].
        how: "token_mean" weighs all tokens equally (DAPO, arXiv 2503.14476). "sequence_mean" weighs all programs
            equally, so tokens of a long one less (GRPO, arXiv 2402.03300). "constant" divides the sum by
            B * ``max_tokens`` (Dr. GRPO, arXiv 2503.20783).
        max_tokens: Token budget of a completion, for "constant".

    Raises:
        ValueError: ``how`` is "constant" and ``max_tokens`` is missing.
    """
    losses = losses * mask
    if how == "token_mean":
        return losses.sum() / mask.sum().clamp(min=1)
    if how == "sequence_mean":
        return (losses.sum(1) / mask.sum(1).clamp(min=1)).mean()
    if max_tokens is None:
        raise ValueError('the loss type "constant" needs max_tokens: got None; expected the token budget')
    return losses.sum() / (len(losses) * max_tokens)


def clipped_policy_loss(
    log_probs: Tensor, old_log_probs: Tensor, advantages: Tensor, clip_low: float = 0.2, clip_high: float = 0.2
) -> Tensor:
    """Return PPO's loss of each token, [B, T]: ``-min(rho A, clip(rho, 1 - low, 1 + high) A)``.

    Schulman et al., arXiv 1707.06347, equation 7; ``rho = exp(log_probs - old_log_probs)``.

    Args:
        log_probs: Log-probability of each chosen token under the policy that is trained, [B, T].
        old_log_probs: The same under the policy that sampled, [B, T].
        advantages: Advantage of each token, [B, T].
        clip_low: Largest amount by which the ratio may fall below 1.
        clip_high: Largest amount by which the ratio may rise above 1; DAPO's "clip higher" makes this the larger one.
    """
    ratio = (log_probs - old_log_probs).exp()
    return -torch.minimum(ratio * advantages, ratio.clamp(1 - clip_low, 1 + clip_high) * advantages)


def clip_fraction(log_probs: Tensor, old_log_probs: Tensor, mask: Tensor, clip_low: float, clip_high: float) -> float:
    """Return the share of the masked tokens whose ratio is outside the clip range.

    Args:
        log_probs: Log-probability of each chosen token under the policy that is trained, [B, T].
        old_log_probs: The same under the policy that sampled, [B, T].
        mask: Tokens that count, bool [B, T].
        clip_low: Largest amount by which the ratio may fall below 1.
        clip_high: Largest amount by which the ratio may rise above 1.
    """
    ratio = (log_probs - old_log_probs).exp()[mask]
    return float(((ratio < 1 - clip_low) | (ratio > 1 + clip_high)).float().mean()) if len(ratio) else 0.0


def approx_kl(log_probs: Tensor, old_log_probs: Tensor, mask: Tensor) -> float:
    """Return an estimate of KL(old || new) per masked token: the mean of ``rho - 1 - log rho``.

    Schulman, "Approximating KL divergence" (2020): k3 with samples of the old policy.

    Args:
        log_probs: Log-probability of each chosen token under the policy that is trained, [B, T].
        old_log_probs: The same under the policy that sampled, [B, T].
        mask: Tokens that count, bool [B, T].
    """
    return float(aggregate(kl(old_log_probs, log_probs, "k3"), mask))


def value_loss(values: Tensor, returns: Tensor, old_values: Tensor, clip_range: float | None = None) -> Tensor:
    """Return half the squared error of each value, [B, T].

    Args:
        values: Values that are trained, [B, T].
        returns: Their targets, [B, T].
        old_values: Values before the update, [B, T]; only for ``clip_range``.
        clip_range: Distance from ``old_values`` beyond which the loss of a value stops falling, as in OpenAI's
            first implementation of PPO. None: no clipping.
    """
    loss = (values - returns) ** 2
    if clip_range is not None:
        clipped = old_values + (values - old_values).clamp(-clip_range, clip_range)
        loss = torch.maximum(loss, (clipped - returns) ** 2)
    return 0.5 * loss


def kl(log_probs: Tensor, ref_log_probs: Tensor, estimator: KLEstimator = "k3") -> Tensor:
    """Return an estimate of KL(policy || reference) from each chosen token, [B, T] (Schulman's k1, k2 and k3).

    k1, the log-ratio, is unbiased and noisy, and belongs in the reward. k3 is never negative and less noisy; in the
    loss its gradient is that of a biased objective.

    Args:
        log_probs: Log-probability of each chosen token under the policy, [B, T].
        ref_log_probs: The same under the reference, [B, T].
        estimator: Name of the estimator.
    """
    log_ratio = ref_log_probs - log_probs
    if estimator == "k1":
        return -log_ratio
    if estimator == "k2":
        return 0.5 * log_ratio**2
    return log_ratio.exp() - log_ratio - 1


def check_kl_placement(kl_placement: str) -> None:
    """Raise if ``kl_placement`` is unknown.

    Raises:
        ValueError: It is neither "loss" nor "reward".
    """
    if kl_placement not in get_args(KLPlacement):
        raise ValueError(f'unknown kl_placement: got {kl_placement!r}; expected "loss" or "reward"')


def penalize_rewards(rewards: Tensor, log_probs: Tensor, ref_log_probs: Tensor, mask: Tensor, kl_coef: float) -> Tensor:
    """Return rewards minus ``kl_coef`` times k1 of each chosen token, [B, T].

    Args:
        rewards: Reward of each token, [B, T].
        log_probs: Log-probabilities under the policy that sampled the tokens, [B, T]; the penalty has no gradient.
        ref_log_probs: Log-probabilities under the policy to stay close to, [B, T].
        mask: Tokens that the policy chose, bool [B, T].
        kl_coef: Weight of the penalty.
    """
    return rewards - kl_coef * kl(log_probs, ref_log_probs, "k1") * mask


def gradient_step(optimizer: torch.optim.Optimizer, loss: Tensor, module: nn.Module, max_grad_norm: float) -> float:
    """Take one gradient step and return the norm of the gradient before it was clipped.

    Args:
        optimizer: Optimizer of the parameters of ``module``.
        loss: Scalar to minimize.
        module: Module whose gradient is clipped.
        max_grad_norm: Norm to which a larger gradient is scaled down.
    """
    optimizer.zero_grad()
    loss.backward()
    norm = nn.utils.clip_grad_norm_(module.parameters(), max_grad_norm)
    optimizer.step()
    return float(norm)
