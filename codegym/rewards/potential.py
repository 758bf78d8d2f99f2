"""Potential-based shaping by line scores."""

from __future__ import annotations

from codegym.rewards.base import Term, per_step
from codegym.rewards.validation import check_number
from codegym.step import Step


def potential(*, gamma: float = 1.0, initial_score: float = 0.0) -> Term:
    """Pay the change of a potential at each line, which leaves the optimal policies unchanged.

    Formula: gamma Phi(s') - Phi(s) for each line. Phi is the score of the last scored line (lines of a prefix
    included), ``initial_score`` before there is one, and 0 after the end of the program, whatever its last line scored.
    With gamma = 1 an episode earns -Phi of its first state in total, whatever the policy writes. Time is counted in
    steps (``codegym.step``), one for each line, so with gamma < 1 a neutral line earns (gamma - 1) Phi, as the theorem
    requires.

    Range: that of the scores. With gamma = 1 the total is -Phi of the first state.

    Source: Ng, Harada and Russell, "Policy invariance under reward transformations", ICML 1999, theorem 1.

    Known hacks: none if the learner discounts per line with the same gamma, or with gamma = 1. A learner that discounts
    by another clock (by tokens, or by actions of several lines) has the guarantee with gamma = 1 only.

    Args:
        gamma: Discount of the learner for each line, in [0, 1].
        initial_score: Potential of the empty program.

    Raises:
        ValueError: ``gamma`` is not in [0, 1], or ``initial_score`` is not finite.
    """
    check_number("gamma", gamma, 0, 1)
    check_number("initial_score", initial_score)

    def stream(step: Step) -> float:
        before = initial_score if step.previous_score is None else step.previous_score
        if step.ended:
            return -before
        score = None if step.line is None else step.line.score
        return gamma * (before if score is None else score) - before

    return per_step("potential", stream)
