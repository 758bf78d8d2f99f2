"""Process terms: sums of line scores."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from codegym.rewards.base import ScoresNeeded, Term, at_end, per_step
from codegym.rewards.credit.spans import credit_lines, is_rewardable, policy_code_lines
from codegym.rewards.validation import check_choice, check_number, unit_score
from codegym.step import Step, iter_steps

MODES = ("absolute", "unit", "difference")
NORMALIZATIONS = ("none", "lines", "expected")


def process(
    *,
    mode: str = "absolute",
    initial_score: float | None = None,
    normalize: str = "none",
    expected_lines: float | None = None,
) -> Term:
    """Sum of what each line of code earned by its score; neutral, unscored and given lines earn 0.

    Args:
        mode: ``"absolute"``: the score (the dense reward of IRCoCo, arXiv 2401.16637, and of PSGPO without lambda).
            ``"unit"``: (score + 1) / 2 for scores in [-1, 1], so that every line pays. ``"difference"``: the score
            minus that of the last scored line, given ones included; the sum is the last score minus ``initial_score``.
        initial_score: what the first score of a program is compared with in ``"difference"``, 0 if not given.
        normalize: ``"none"`` pays line by line. ``"lines"`` divides by the number T of lines of code that the policy
            wrote, ``"expected"`` by the larger of T and ``expected_lines``; both are paid at the end. A plain sum is
            hacked by writing more lines; so is one divided by a constant.
        expected_lines: how many lines of code a solution has, 1 or more; for ``"expected"``.

    Raises:
        ValueError: an argument is out of range or contradicts another; later, a score outside [-1, 1] in ``"unit"``.
    """
    check_choice("mode", mode, MODES)
    check_choice("normalize", normalize, NORMALIZATIONS)
    if initial_score is not None and mode != "difference":
        raise ValueError(f"initial_score={initial_score!r} is for mode='difference', this is mode={mode!r}")
    if (normalize == "expected") is (expected_lines is None):
        raise ValueError(f"normalize='expected' and expected_lines want each other: {normalize!r}, {expected_lines!r}")
    first = check_number("initial_score", 0.0 if initial_score is None else initial_score)
    expected = check_number("expected_lines", 1.0 if expected_lines is None else expected_lines, 1)
    low, high = (0.0, 1.0) if mode == "unit" else (-math.inf, math.inf)
    if normalize == "none":
        return per_step("process", lambda step: _earned(step, mode, first), ScoresNeeded.PER_LINE, low)

    def credit(last: Step) -> NDArray[np.float64]:
        amounts = {step.line.number: _earned(step, mode, first) for step in iter_steps(last) if step.line is not None}
        return credit_lines(last, amounts) / max(len(policy_code_lines(last)), expected)

    return at_end("process", credit, low=low, high=high)


def _earned(step: Step, mode: str, initial_score: float) -> float:
    """What the line that this step closed earns before any division."""
    line = step.line
    if line is None or line.score is None or not is_rewardable(line):
        return 0.0
    if mode == "unit":
        return (unit_score(line) + 1) / 2
    if mode == "absolute":
        return line.score
    return line.score - (initial_score if step.previous_score is None else step.previous_score)
