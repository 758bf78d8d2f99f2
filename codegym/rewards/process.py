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
    """Pay each line of code by its score.

    Formula: the sum over lines of the score (``mode="absolute"``), of (score + 1) / 2 (``"unit"``) or of the score
    minus that of the last scored line (``"difference"``; the sum is the last score minus ``initial_score``), divided
    as ``normalize`` asks. Neutral lines, unscored lines and lines of the prefix earn 0.

    Range: that of the scores. ``"unit"`` is in [0, 1] if it is normalized, else at least 0.

    Source: ``"absolute"`` is the dense reward of IRCoCo (arXiv 2401.16637), and of PSGPO (arXiv 2410.17621) without
    lambda; ``"difference"`` is the progress reward of a potential (Ng et al., ICML 1999) without its last step.

    Known hacks: a plain sum pays for more lines, and so does a sum divided by a constant. ``normalize="lines"`` bounds
    that, but padding still dilutes a bad line. ``"difference"`` pays nothing for padding.

    Args:
        mode: Amount that a line earns: ``"absolute"``, ``"unit"`` or ``"difference"``.
        initial_score: Score with which the first score is compared in ``"difference"``; 0 by default.
        normalize: ``"none"`` pays line by line. ``"lines"`` divides by the number T of lines of code that the policy
            wrote, ``"expected"`` by the larger of T and ``expected_lines``; both are paid at the end.
        expected_lines: Number of lines of code of a solution, 1 or more; for ``normalize="expected"``.

    Raises:
        ValueError: An argument is out of range or contradicts another. While it is paid: a score is outside [-1, 1] in
            mode ``"unit"``.
    """
    _check_combination(mode, initial_score, normalize, expected_lines)
    first = check_number("initial_score", 0.0 if initial_score is None else initial_score)
    expected = check_number("expected_lines", 1.0 if expected_lines is None else expected_lines, 1)
    low, high = (0.0, 1.0) if mode == "unit" else (-math.inf, math.inf)
    if normalize == "none":
        return per_step("process", lambda step: _earned(step, mode, first), ScoresNeeded.PER_LINE, low)

    def credit(last: Step) -> NDArray[np.float64]:
        amounts = {step.line.number: _earned(step, mode, first) for step in iter_steps(last) if step.line is not None}
        return credit_lines(last, amounts) / max(len(policy_code_lines(last)), expected)

    return at_end("process", credit, low=low, high=high)


def _check_combination(mode: str, initial_score: float | None, normalize: str, expected_lines: float | None) -> None:
    check_choice("mode", mode, MODES)
    check_choice("normalize", normalize, NORMALIZATIONS)
    if initial_score is not None and mode != "difference":
        raise ValueError(f"initial_score needs mode='difference': got mode={mode!r}; leave initial_score out")
    if (normalize == "expected") is (expected_lines is None):
        raise ValueError(
            "normalize='expected' and expected_lines need each other: got "
            f"normalize={normalize!r} and expected_lines={expected_lines!r}; expected both or neither"
        )


def _earned(step: Step, mode: str, initial_score: float) -> float:
    """Return what the line that this step closed earns before any division."""
    line = step.line
    if line is None or line.score is None or not is_rewardable(line):
        return 0.0
    if mode == "unit":
        return (unit_score(line) + 1) / 2
    if mode == "absolute":
        return line.score
    return line.score - (initial_score if step.previous_score is None else step.previous_score)
