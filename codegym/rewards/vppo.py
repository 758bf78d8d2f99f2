"""The first wrong line, as the line scorer sees it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from codegym.rewards.base import Term, at_end
from codegym.rewards.credit.spans import credit_lines, policy_code_lines
from codegym.rewards.validation import check_number
from codegym.step import Step
from codegym.syntax.lines import LineKind


def vppo(*, threshold: float = 0.0, scale: float = 1.0, penalty: float = 1.0) -> Term:
    """Pay scale / T for each line before the first wrong one, take ``penalty`` there, and nothing after it.

    After VPPO (arXiv 2601.18984), of which only the idea is taken: the first error alone is read from the line scores.
    A line is wrong where its score lies below ``threshold``; T is the number of lines of code that the policy wrote,
    so the total is in [-penalty, scale]. It depends on the final length and is therefore paid at the end. Where a
    given line is wrong already, all that follows earns nothing; lines without a score earn nothing and are passed over.

    Raises:
        ValueError: ``threshold`` is not finite, or ``scale`` or ``penalty`` is negative or not finite.
    """
    check_number("threshold", threshold)
    check_number("scale", scale, 0)
    check_number("penalty", penalty, 0)

    def credit(last: Step) -> NDArray[np.float64]:
        share = scale / max(len(policy_code_lines(last)), 1)
        amounts = {}
        for line in last.lines:
            if line.score is None or line.kind is not LineKind.CODE:
                continue
            if line.score < threshold:
                amounts[line.number] = 0.0 if line.from_prefix else -penalty
                break
            amounts[line.number] = 0.0 if line.from_prefix else share
        return credit_lines(last, amounts)

    return at_end("vppo", credit, low=-penalty, high=scale)
