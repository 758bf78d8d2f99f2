"""Terms about the form of the program: length, number of lines, whether it compiles and whether it ends."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from codegym.judge import Status
from codegym.rewards.base import ScoresNeeded, Term, at_end, from_verdict, per_step
from codegym.rewards.credit.spans import policy_lines
from codegym.rewards.validation import check_count
from codegym.step import Step


def length_penalty(*, free_tokens: int = 0) -> Term:
    """Take 1 / max_tokens for each token that the policy wrote beyond the first ``free_tokens``; in [-1, 0].

    Paid at the end; each token bears its own part. With a positive weight this is a cost.

    Raises:
        ValueError: ``free_tokens`` is not a whole number, 0 or more.
    """
    check_count("free_tokens", free_tokens)

    def credit(last: Step) -> NDArray[np.float64]:
        cost = np.zeros(last.num_tokens)
        cost[last.num_prefix_tokens + free_tokens :] = -1 / last.max_tokens
        return cost

    return at_end("length_penalty", credit, ScoresNeeded.NEVER, -1.0, 0.0)


def line_limit(*, max_lines: int = 100) -> Term:
    """Take 1 for each line that the policy closes beyond ``max_lines`` lines, neutral ones counted; 0 at most.

    Raises:
        ValueError: ``max_lines`` is not a whole number, 0 or more.
    """
    check_count("max_lines", max_lines)

    def stream(step: Step) -> float:
        return -1.0 if step.line is not None and len(policy_lines(step)) > max_lines else 0.0

    return per_step("line_limit", stream, ScoresNeeded.NEVER, -math.inf, 0.0)


def syntax_penalty() -> Term:
    """-1 for a program that does not compile, else 0; on the last token."""
    return from_verdict("syntax_penalty", lambda verdict: -float(verdict.status is Status.SYNTAX_ERROR), -1.0, 0.0)


def missing_eos() -> Term:
    """-1 for a program that its token budget ended, else 0; on the last token."""

    def stream(step: Step) -> float:
        return -float(step.ended and step.budget_exhausted)

    return per_step("missing_eos", stream, ScoresNeeded.NEVER, -1.0, 0.0)
