from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from agents.common.advantages import (
    explained_variance,
    gae,
    group_advantages,
    leave_one_out,
    returns_to_go,
    whiten,
)

MASK = torch.tensor([[False, True, True, True]])  # one prompt token, three chosen ones


def test_returns_add_up_what_is_still_to_come() -> None:
    rewards = torch.tensor([[0.0, 1.0, 2.0, 4.0]])
    assert returns_to_go(rewards, MASK).tolist() == [[0, 7, 6, 4]]
    assert returns_to_go(rewards, MASK, gamma=0.5).tolist() == [[0, 3, 4, 4]]  # 1 + .5 (2 + .5 * 4), 2 + .5 * 4, 4


def test_advantages_worked_out_by_hand() -> None:
    rewards, values = torch.tensor([[0.0, 0.0, 0.0, 1.0]]), torch.tensor([[9.0, 0.5, 0.25, 0.75]])
    # deltas: .25 - .5, .75 - .25, 1 - .75; the value of the prompt token, 9, has no part in it
    assert gae(rewards, values, MASK, 1.0, 0.0).tolist() == [[0, -0.25, 0.5, 0.25]]
    assert gae(rewards, values, MASK, 1.0, 1.0).tolist() == [[0, 0.5, 0.75, 0.25]]  # returns minus values
    assert gae(rewards, values, MASK, 1.0, 0.5).tolist() == [[0, -0.25 + 0.25 + 0.0625, 0.5 + 0.125, 0.25]]


FLOATS = st.floats(-2, 2, width=32)


@st.composite
def rollouts(draw):
    """Rewards, values and masks of programs of several lengths behind prompts of several lengths."""
    size, width = draw(st.integers(1, 3)), draw(st.integers(1, 7))
    spans = [sorted((draw(st.integers(0, width)), draw(st.integers(0, width)))) for _ in range(size)]
    mask = torch.tensor([[start <= t < stop for t in range(width)] for start, stop in spans])
    rows = st.lists(st.lists(FLOATS, min_size=width, max_size=width), min_size=size, max_size=size)
    return torch.tensor(draw(rows)), torch.tensor(draw(rows)), mask


@given(rollouts(), st.floats(0, 1), st.floats(0, 1))
def test_gae_is_the_double_sum_of_its_definition(rollout, gamma: float, gae_lambda: float) -> None:
    rewards, values, mask = rollout
    expected = torch.zeros_like(rewards)
    for row in range(len(rewards)):
        places = mask[row].nonzero()[:, 0].tolist()
        r, v = rewards[row, places].tolist(), [*values[row, places].tolist(), 0.0]  # no value beyond the end
        for t, place in enumerate(places):
            deltas = [r[k] + gamma * v[k + 1] - v[k] for k in range(t, len(r))]
            expected[row, place] = sum((gamma * gae_lambda) ** k * delta for k, delta in enumerate(deltas))
    torch.testing.assert_close(gae(rewards, values, mask, gamma, gae_lambda), expected, atol=1e-4, rtol=1e-4)


@given(rollouts(), st.floats(0, 1))
def test_with_lambda_1_advantages_are_returns_minus_values(rollout, gamma: float) -> None:
    rewards, values, mask = rollout
    expected = (returns_to_go(rewards, mask, gamma) - values) * mask
    torch.testing.assert_close(gae(rewards, values, mask, gamma, 1.0), expected, atol=1e-4, rtol=1e-4)


def test_values_do_not_leak_from_one_program_to_the_next() -> None:
    rewards, values = torch.zeros(2, 3), torch.tensor([[1.0, 1.0, 0.0], [5.0, 5.0, 5.0]])
    mask = torch.tensor([[True, True, False], [True, True, True]])
    assert gae(rewards, values, mask, 1.0, 0.0)[0].tolist() == [0, -1, 0]  # nothing of the padding, nothing of row 1


GROUPS = torch.tensor([0, 1, 0, 1, 0, 2])
SCORES = torch.tensor([1.0, 0.0, 4.0, 2.0, 1.0, 3.0])


def test_group_advantages_worked_out_by_hand() -> None:
    # group 0: 1, 4, 1 (mean 2); group 1: 0, 2 (mean 1); group 2: 3 alone
    assert group_advantages(SCORES, GROUPS, "none").tolist() == [-1, -1, 2, 1, -1, 0]
    # sample deviations: sqrt(6 / 2), sqrt(2)
    expected = torch.tensor([-1 / 3**0.5, -1 / 2**0.5, 2 / 3**0.5, 1 / 2**0.5, -1 / 3**0.5, 0.0])
    torch.testing.assert_close(group_advantages(SCORES, GROUPS, "std"), expected, atol=1e-5, rtol=1e-5)


def test_leave_one_out_compares_with_the_mean_of_the_others() -> None:
    # group 0: 1 - 2.5, 4 - 1, 1 - 2.5; group 1: 0 - 2, 2 - 0; nobody to compare with in group 2
    assert leave_one_out(SCORES, GROUPS).tolist() == [-1.5, -2, 3, 2, -1.5, 0]


@given(st.lists(st.tuples(FLOATS, st.integers(0, 3)), min_size=1, max_size=12))
def test_advantages_of_a_group_sum_to_zero(pairs) -> None:
    scores, groups = torch.tensor([score for score, _ in pairs]), torch.tensor([group for _, group in pairs])
    for advantages in (group_advantages(scores, groups), leave_one_out(scores, groups)):
        for group in groups.unique():
            assert advantages[groups == group].sum().abs() < 1e-3


def test_whitened_advantages_have_mean_0_and_deviation_1_where_the_mask_is() -> None:
    white = whiten(torch.tensor([[50.0, 1.0, 2.0, 6.0]]), MASK)
    assert white[0, 0] == 0
    assert white[0, 1:].mean().item() == pytest.approx(0, abs=1e-6)
    assert white[0, 1:].std().item() == pytest.approx(1)


def test_explained_variance_is_1_for_the_truth_and_0_for_its_mean() -> None:
    returns = torch.tensor([[0.0, 1.0, 2.0, 3.0]])
    assert explained_variance(returns, returns, MASK) == 1
    assert explained_variance(torch.full((1, 4), 2.0), returns, MASK) == 0
