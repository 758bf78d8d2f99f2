"""pass@k is unbiased and exact, and refuses what it cannot estimate."""

from __future__ import annotations

from itertools import combinations

import pytest

from codegym.evaluation.metrics import bootstrap_interval, mean_pass_at_k, pass_at_k, supported_ks


def test_two_of_five_pass() -> None:
    assert pass_at_k(5, 2, 1) == 0.4
    assert pass_at_k(5, 2, 2) == 0.7  # 1 - C(3, 2) / C(5, 2) = 1 - 3 / 10
    assert pass_at_k(5, 2, 4) == 1.0  # every four of them hold one that passes


@pytest.mark.parametrize("passed", range(8))
@pytest.mark.parametrize("k", range(1, 8))
def test_it_is_the_share_of_draws_with_a_pass(passed: int, k: int) -> None:
    draws = list(combinations([True] * passed + [False] * (7 - passed), k))
    assert pass_at_k(7, passed, k) == pytest.approx(sum(map(any, draws)) / len(draws), abs=1e-15)


def test_large_counts_keep_their_digits() -> None:
    assert pass_at_k(1_000_000, 1, 1) == 1e-6
    assert pass_at_k(10_000, 1, 100) == 0.01
    assert pass_at_k(20_000, 10_000, 1000) == 1.0
    assert pass_at_k(20_000, 0, 1000) == 0.0


@pytest.mark.parametrize("counts", [(9, 3, 10), (10, 11, 1), (10, -1, 1), (10, 3, 0), (0, 0, 1)])
def test_impossible_counts_are_refused(counts: tuple[int, int, int]) -> None:
    with pytest.raises(ValueError, match=r"got \S+; expected"):
        pass_at_k(*counts)


def test_mean_weighs_tasks_and_not_samples() -> None:
    assert mean_pass_at_k([(100, 100), (1, 0)], 1) == 0.5


def test_mean_does_not_leave_out_tasks_with_too_few_samples() -> None:
    with pytest.raises(ValueError, match="Draw more samples"):
        mean_pass_at_k([(10, 1), (9, 9)], 10)
    with pytest.raises(ValueError, match="of no tasks"):
        mean_pass_at_k([], 1)


def test_possible_ks_are_those_of_the_task_with_the_fewest_samples() -> None:
    assert supported_ks([(100, 0), (10, 0)]) == [1, 10]
    assert supported_ks([]) == []


def test_interval_holds_the_mean_and_repeats() -> None:
    scores = [0.0, 1.0] * 50
    low, high = bootstrap_interval(scores)
    assert 0.38 < low < 0.5 < high < 0.62  # 1.96 standard errors of .05 are .098
    assert bootstrap_interval(scores) == (low, high)
    with pytest.raises(ValueError, match="no scores"):
        bootstrap_interval([])
