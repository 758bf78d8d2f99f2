"""RLTF's three kinds of unit-test feedback (Liu et al., arXiv 2307.04349): coarse, adaptive and fine-grained."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from codegym.judge import Verdict
from codegym.rewards.base import ScoresNeeded, Term, at_end, from_verdict
from codegym.rewards.credit.error_span import error_span
from codegym.rewards.outcome import CODERL_REWARDS, OutcomeClass, outcome_class
from codegym.rewards.validation import check_choice, check_number
from codegym.step import Step


def rltf() -> Term:
    """Coarse feedback: the four values of ``coderl``, on the last token; in [-1, 1]."""
    return from_verdict("rltf", lambda verdict: CODERL_REWARDS[outcome_class(verdict)], -1.0, 1.0)


def rltf_adaptive() -> Term:
    """Adaptive feedback: -0.3 + 1.3 passed / total for a program that ran but failed, else as ``rltf``; in [-1, 1].

    Errors keep -1 or -0.6 even where some checks passed. A check that was not run did not pass: the judge should not
    stop at the first failure.
    """

    def value(verdict: Verdict) -> float:
        outcome = outcome_class(verdict)
        partial = 1.3 * verdict.passed_checks / verdict.total_checks if outcome is OutcomeClass.FAILED else 0.0
        return CODERL_REWARDS[outcome] + partial

    return from_verdict("rltf_adaptive", value, -1.0, 1.0)


def rltf_fine(*, weight: float = 0.3, scale: str = "code") -> Term:
    """Fine-grained feedback: a penalty on each token of the span that the error points to; 0 at most.

    The span is that of ``error_span``; the tokens of a given prefix are spared. The paper multiplies the value of each
    token with that token's log-probability, so its unit is a token: summed over an episode as rewards are, a long span
    counts more in ``scale="code"``, and the total has no lower bound.

    Args:
        weight: the penalty, 0.3 in the released code.
        scale: ``"code"`` takes ``weight`` from each token of the span, as the released code does. ``"paper"`` takes
            weight * T / (tokens of the span), T being all tokens that the policy wrote, so that one wrong line weighs
            as much as a whole wrong program.

    Raises:
        ValueError: the weight is negative or not finite, or there is no such scale.
    """
    check_number("weight", weight, 0)
    check_choice("scale", scale, ("code", "paper"))

    def credit(last: Step) -> NDArray[np.float64]:
        span = error_span(last).astype(np.float64)
        num_written = last.num_tokens - last.num_prefix_tokens
        return -weight * span * (num_written / max(span.sum(), 1.0) if scale == "paper" else 1.0)

    return at_end("rltf_fine", credit, ScoresNeeded.NEVER, -math.inf, 0.0)
