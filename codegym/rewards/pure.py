"""The worst line instead of the sum over lines."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from codegym.rewards.base import Term, at_end
from codegym.rewards.credit.spans import credit_lines, is_rewardable
from codegym.rewards.validation import check_number
from codegym.step import Step


def pure(*, temperature: float = 0.1) -> Term:
    """Weigh each line's score r by softmax(-r / temperature) over the scored lines (PURE, arXiv 2504.15275).

    The total is a mean between the smallest score and the plain mean, and near the smallest one for a small
    temperature; so more good lines do not pay. The weights want all scores: it is paid at the end.

    Raises:
        ValueError: the temperature is not finite or below 1e-6.
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
