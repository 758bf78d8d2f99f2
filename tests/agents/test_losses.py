from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from agents.common.losses import (
    aggregate,
    check_kl_placement,
    clip_fraction,
    clipped_policy_loss,
    gradient_step,
    kl,
    penalize_rewards,
    value_loss,
)

MASK = torch.tensor([[True, True, True], [True, False, False]])


def row(*values: float) -> torch.Tensor:
    return torch.tensor([values])


def test_the_clipped_loss_worked_out_by_hand() -> None:
    log_ratio = row(math.log(1.5), math.log(1.5), math.log(0.5), math.log(0.5), 0.0)
    advantages = row(2.0, -2.0, 2.0, -2.0, 3.0)
    # a ratio of 1.5 counts as 1.2 where that helps and as 1.5 where it hurts; .5 as .5 where it hurts, as .8 else
    expected = row(-2.4, 3.0, -1.0, 1.6, -3.0)
    torch.testing.assert_close(clipped_policy_loss(log_ratio, torch.zeros(1, 5), advantages), expected)


def test_a_higher_clip_range_leaves_more_room_upwards_only() -> None:
    log_ratio, advantages = row(math.log(1.5), math.log(0.5)), row(1.0, -1.0)
    loss = clipped_policy_loss(log_ratio, torch.zeros(1, 2), advantages, clip_low=0.2, clip_high=0.28)
    torch.testing.assert_close(loss, row(-1.28, 0.8))


def test_where_the_ratio_is_clipped_nothing_pushes_on() -> None:
    log_probs = row(math.log(1.5), math.log(1.1)).requires_grad_()
    clipped_policy_loss(log_probs, torch.zeros(1, 2), row(1.0, 1.0)).sum().backward()
    torch.testing.assert_close(log_probs.grad, row(0.0, -1.1))


def test_one_number_of_many_losses() -> None:
    losses = torch.tensor([[1.0, 2.0, 3.0], [10.0, 99.0, 99.0]])
    assert aggregate(losses, MASK, "token_mean").item() == 4  # 16 / 4
    assert aggregate(losses, MASK, "sequence_mean").item() == 6  # (2 + 10) / 2
    assert aggregate(losses, MASK, "constant", max_tokens=8).item() == 1  # 16 / (2 * 8)
    with pytest.raises(ValueError, match="needs max_tokens"):
        aggregate(losses, MASK, "constant")


def test_share_of_clipped_ratios_counts_masked_tokens_only() -> None:
    log_probs = torch.tensor([[math.log(1.5), 0.0, math.log(0.7)], [0.0, 9.0, 9.0]])
    assert clip_fraction(log_probs, torch.zeros(2, 3), MASK, 0.2, 0.2) == 0.5


def test_the_value_loss_and_its_clipped_form() -> None:
    values, returns, old = row(1.0, 3.0), row(0.0, 0.0), row(1.0, 1.0)
    torch.testing.assert_close(value_loss(values, returns, old), row(0.5, 4.5))
    # clipped to 1 +- .5 the second value would be 1.5: the larger error counts, so there is no reward for jumping
    torch.testing.assert_close(value_loss(values, row(0.0, 4.0), old, clip_range=0.5), row(0.5, 0.5 * 2.5**2))


def test_estimates_of_the_divergence_worked_out_by_hand() -> None:
    log_probs, reference = row(math.log(0.5)), row(math.log(0.25))
    assert kl(log_probs, reference, "k1").item() == pytest.approx(math.log(2))
    assert kl(log_probs, reference, "k2").item() == pytest.approx(0.5 * math.log(2) ** 2)
    assert kl(log_probs, reference, "k3").item() == pytest.approx(0.5 + math.log(2) - 1)


def test_divergence_in_the_reward_worked_out_by_hand() -> None:
    rewards, mask = row(0.0, 0.0, 1.0), torch.tensor([[False, True, True]])
    log_probs, reference = row(0.0, math.log(0.5), math.log(0.25)), row(-9.0, math.log(0.25), math.log(0.5))
    # k1 is log 2 where the policy is twice as sure as the reference and -log 2 where it is half as sure
    expected = row(0.0, -0.1 * math.log(2), 1 + 0.1 * math.log(2))
    torch.testing.assert_close(penalize_rewards(rewards, log_probs, reference, mask, 0.1), expected)
    with pytest.raises(ValueError, match='got \'rewards\'; expected "loss" or "reward"'):
        check_kl_placement("rewards")


def test_all_estimates_are_close_to_the_divergence_of_two_close_policies() -> None:
    p, q = torch.tensor([0.5, 0.3, 0.2]), torch.tensor([0.45, 0.33, 0.22])
    truth = (p * (p / q).log()).sum().item()
    for form in ("k1", "k3"):  # both are unbiased
        assert (p * kl(p.log(), q.log(), form)).sum().item() == pytest.approx(truth, rel=1e-4)
    assert (p * kl(p.log(), q.log(), "k2")).sum().item() == pytest.approx(truth, rel=0.05)


def test_a_step_goes_down_the_gradient_no_further_than_its_norm_allows() -> None:
    module = nn.Linear(1, 1, bias=False)
    nn.init.constant_(module.weight, 1.0)
    optimizer = torch.optim.SGD(module.parameters(), lr=0.1)
    gradient_step(optimizer, module(torch.tensor([[100.0]])).sum(), module, max_grad_norm=1.0)  # a gradient of 100
    assert module.weight.item() == pytest.approx(0.9)
