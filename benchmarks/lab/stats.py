"""Cost of solving half of the tasks, and its interval over seeds."""

from __future__ import annotations

import itertools
import math
import random
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

TARGET_PASS_RATE = 0.5
"""Pass rate whose cost is compared."""


@dataclass(frozen=True)
class CurvePoint:
    """One iteration of a learning curve."""

    programs: int
    """Programs written so far."""
    pass_rate: float | None = None
    """Pass rate of the iteration's programs."""
    tokens: float | None = None
    """Mean number of tokens of a program."""
    eval_pass_rate: float | None = None
    """Pass rate on unseen tasks, if there was an evaluation."""


def evaluations(curve: Sequence[CurvePoint]) -> list[tuple[int, float]]:
    """Return the number of programs and the pass rate at each evaluation of ``curve``."""
    return [(point.programs, point.eval_pass_rate) for point in curve if point.eval_pass_rate is not None]


def samples_to_threshold(curve: Sequence[CurvePoint], threshold: float = TARGET_PASS_RATE) -> float:
    """Return the programs until two consecutive evaluations have a mean of ``threshold``; infinite if they never do.

    Args:
        curve: Learning curve of a run.
        threshold: Pass rate to reach.
    """
    points = evaluations(curve)
    for (_, before), (programs, now) in itertools.pairwise(points):
        if (before + now) / 2 >= threshold:
            return float(programs)
    return math.inf


def median(costs: Sequence[float]) -> float:
    """Return the median of ``costs``; it is infinite if half of them are."""
    return math.inf if sum(map(math.isinf, costs)) * 2 >= len(costs) else statistics.median(costs)


def interval_of_median(costs: Sequence[float], seed: int = 0, num_resamples: int = 2_000) -> tuple[float, float]:
    """Return the 95 % interval of the median over seeds, by bootstrap; with fewer than three seeds, their range.

    Costs may be infinite, which ``scipy.stats.bootstrap`` cannot interpolate.

    Args:
        costs: One cost a seed.
        seed: Seed of the resampling.
        num_resamples: Bootstrap resamples.
    """
    if len(costs) < 3:
        return min(costs), max(costs)
    rng = random.Random(seed)
    medians = sorted(median(rng.choices(costs, k=len(costs))) for _ in range(num_resamples))
    return medians[round(0.025 * (num_resamples - 1))], medians[round(0.975 * (num_resamples - 1))]


def format_count(cost: float) -> str:
    """Return ``cost`` as text, "never" if it is infinite."""
    return "never" if math.isinf(cost) else f"{cost:,.0f}"
