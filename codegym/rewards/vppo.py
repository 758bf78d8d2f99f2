"""VPPO: only the lines up to the first wrong one count (arXiv 2601.18984)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from codegym.rewards.base import Term, at_end
from codegym.rewards.credit.spans import credit_lines, policy_code_lines
from codegym.rewards.validation import check_number
from codegym.step import Step
from codegym.syntax.lines import LineKind


def vppo(*, threshold: float = 0.0, scale: float = 1.0, penalty: float = 1.0) -> Term:
    """Pay the lines before the first wrong one, charge that one, and ignore the rest.

    Formula: scale / T for each line of code before the first one with a score below ``threshold``, -penalty for that
    line, 0 after it. T is the number of lines of code that the policy wrote, so the term is paid at the end. If a line
    of the prefix is wrong, all lines after it earn 0. Lines without a score earn 0 and are skipped.

    Range: [-penalty, scale].

    Source: VPPO (arXiv 2601.18984); of its method only the first error as the unit of credit is used.

    Known hacks: lines after an error that the scorer misses are paid as right ones, and a short program with one good
    line is paid like a long one.

    Args:
        threshold: Score below which a line is wrong.
        scale: Reward of a program without a wrong line, 0 or more.
        penalty: Amount charged at the first wrong line, 0 or more.

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
