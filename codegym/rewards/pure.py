"""PURE: the worst line instead of the sum over lines (arXiv 2504.15275)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from codegym.rewards.base import Term, at_end
from codegym.rewards.credit.spans import credit_lines, is_rewardable
from codegym.rewards.validation import check_number
from codegym.step import Step


def pure(*, temperature: float = 0.1) -> Term:
    """Pay a soft minimum of the line scores, so that more good lines do not pay.

    Formula: each scored line earns r softmax(-r / temperature); r is its score, and the softmax is over all scored
    lines that the policy wrote. The total is between the smallest and the mean score, and near the smallest for a small
    temperature. The weights need all scores, so it is paid at the end.

    Range: that of the scores.

    Source: PURE (arXiv 2504.15275, min-form credit assignment).

    Known hacks: a short program with few risky lines has a higher minimum than a long one.

    Args:
        temperature: Temperature of the soft minimum, 1e-6 or more.

    Raises:
        ValueError: ``temperature`` is not finite or below 1e-6.
    """
    check_number("temperature", temperature, 1e-6)

    def credit(last: Step) -> NDArray[np.float64]:
        scores = {line.number: line.score for line in last.lines if line.score is not None and is_rewardable(line)}
        if not scores:
            return np.zeros(last.num_tokens)
        values = np.array(list(scores.values()))
        weights = np.exp((values.min() - values) / temperature)  # the largest exponent is 0
        return credit_lines(last, dict(zip(scores, (values * weights / weights.sum()).tolist(), strict=True)))

    return at_end("pure", credit)
