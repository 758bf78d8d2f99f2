"""Terms about the form of the program: length, number of lines, whether it compiles and whether it ends."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from codegym.judge import Status
from codegym.rewards.base import ScoresNeeded, Term, at_end, causal, from_verdict
from codegym.rewards.credit.spans import policy_lines
from codegym.rewards.validation import check_count
from codegym.step import Step


def length(*, free: int = 0) -> Term:
    """Take 1 / max_tokens for each token that the policy wrote beyond the first ``free``; in [-1, 0].

    Paid at the end; each token bears its own part. With a positive weight this is a cost.

    Raises:
        ValueError: ``free`` is not a whole number, 0 or more.
    """
    check_count("free", free)

    def credit(last: Step) -> NDArray[np.float64]:
        cost = np.zeros(last.num_tokens)
        cost[last.num_given + free :] = -1 / last.max_tokens
        return cost

    return at_end("length", credit, ScoresNeeded.NEVER, -1.0, 0.0)


def line_cap(*, cap: int = 100) -> Term:
    """Take 1 for each line that the policy closes beyond ``cap`` lines, neutral ones counted; 0 at most.

    Raises:
        ValueError: ``cap`` is not a whole number, 0 or more.
    """
    check_count("cap", cap)

    def stream(step: Step) -> float:
        return -1.0 if step.line is not None and len(policy_lines(step)) > cap else 0.0

    return causal("line_cap", stream, ScoresNeeded.NEVER, -math.inf, 0.0)


def syntax() -> Term:
    """-1 for a program that does not compile, else 0; on the last token."""
    return from_verdict("syntax", lambda verdict: -float(verdict.status is Status.SYNTAX_ERROR), -1.0, 0.0)


def finished() -> Term:
    """-1 for a program that its token budget ended, else 0; on the last token."""

    def stream(step: Step) -> float:
        return -float(step.ended and step.budget_exhausted)

    return causal("finished", stream, ScoresNeeded.NEVER, -1.0, 0.0)
