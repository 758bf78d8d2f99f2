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
    """Pay coarse feedback: one of four values by the class of the outcome.

    Formula: the values of ``coderl``: -1, -0.6, -0.3 or 1; on the last token.

    Range: [-1, 1].

    Source: RLTF (Liu et al., arXiv 2307.04349, coarse-grained feedback).

    Known hacks: an empty completion compiles and earns -0.3 or -0.6, as for ``coderl``.
    """
    return from_verdict("rltf", lambda verdict: CODERL_REWARDS[outcome_class(verdict)], -1.0, 1.0)


def rltf_adaptive() -> Term:
    """Pay adaptive feedback: the share of passed checks of a program that ran but failed.

    Formula: -0.3 + 1.3 passed / total for a program that ran but failed, else as ``rltf``; on the last token. Errors
    keep -1 or -0.6 even if some checks passed. A check that was not run did not pass, so the judge should not stop at
    the first failure.

    Range: [-1, 1].

    Source: RLTF (Liu et al., arXiv 2307.04349, adaptive feedback).

    Known hacks: a constant answer earns the share of checks that expect it, as for ``pass_ratio``.
    """

    def value(verdict: Verdict) -> float:
        outcome = outcome_class(verdict)
        partial = 1.3 * verdict.passed_checks / verdict.total_checks if outcome is OutcomeClass.FAILED else 0.0
        return CODERL_REWARDS[outcome] + partial

    return from_verdict("rltf_adaptive", value, -1.0, 1.0)


def rltf_fine(*, weight: float = 0.3, scale: str = "code") -> Term:
    """Charge each token of the span that the error points to.

    Formula: -weight for each token of ``error_span``, times T / (tokens of the span) with ``scale="paper"``; T is the
    number of tokens that the policy wrote. Tokens of a prefix are not charged. It is paid at the end.

    Range: at most 0. The paper multiplies the value of each token by that token's log-probability, so its unit is a
    token; summed over an episode as rewards are, a long span counts more with ``scale="code"``.

    Source: RLTF (Liu et al., arXiv 2307.04349, fine-grained feedback).

    Known hacks: a crash on the first line leaves nothing else to charge, and code after an early ``return`` is never
    charged.

    Args:
        weight: Penalty, 0 or more; 0.3 in the released code.
        scale: ``"code"`` charges ``weight`` for each token of the span, as the released code does. ``"paper"`` charges
            weight T in total, so that one wrong line weighs as much as a whole wrong program.

    Raises:
        ValueError: ``weight`` is negative or not finite, or ``scale`` is neither choice.
    """
    check_number("weight", weight, 0)
    check_choice("scale", scale, ("code", "paper"))

    def credit(last: Step) -> NDArray[np.float64]:
        span = error_span(last).astype(np.float64)
        num_written = last.num_tokens - last.num_prefix_tokens
        return -weight * span * (num_written / max(span.sum(), 1.0) if scale == "paper" else 1.0)

    return at_end("rltf_fine", credit, ScoresNeeded.NEVER, -math.inf, 0.0)
