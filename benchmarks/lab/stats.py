"""What it costs to solve half of the tasks: programs, and completions of labels where there are any."""

from __future__ import annotations

import math
import random
import statistics
from collections.abc import Mapping, Sequence
from typing import Any

Result = Mapping[str, Any]
GOAL = 0.5
"""The pass rate whose price is compared."""


def samples_to_threshold(curve: Sequence[Result], goal: float = GOAL) -> float:
    """Programs until the mean pass rate of two evaluations in a row reaches the goal; infinite where it never does."""
    points = evaluated(curve)
    for before, now in zip(points, points[1:], strict=False):
        if (before["eval_pass_rate"] + now["eval_pass_rate"]) / 2 >= goal:
            return float(now["programs"])
    return math.inf


def evaluated(curve: Sequence[Result]) -> list[Result]:
    """The points of a curve at which there was an evaluation."""
    return [point for point in curve if "eval_pass_rate" in point]


def interval_of_median(prices: Sequence[float], seed: int = 0, num_resamples: int = 2_000) -> tuple[float, float]:
    """95 % of the median over seeds, by drawing seeds with replacement; an infinite price is one that was never paid.

    With few seeds it is as wide as what was seen: no more can be said.
    """
    if len(prices) < 3:
        return min(prices), max(prices)
    rng = random.Random(seed)
    medians = sorted(median(rng.choices(prices, k=len(prices))) for _ in range(num_resamples))
    return medians[round(0.025 * (num_resamples - 1))], medians[round(0.975 * (num_resamples - 1))]


def median(prices: Sequence[float]) -> float:
    """The middle one; infinite where half of them are."""
    return math.inf if sum(map(math.isinf, prices)) * 2 >= len(prices) else statistics.median(prices)


def said(price: float, budget: float | None = None) -> str:
    """A price in words."""
    if math.isinf(price):
        return "never" if budget is None else f"not in {budget:,.0f}"
    return f"{price:,.0f}"
