"""Terms about the form of the program: length, number of lines, whether it compiles and whether it ends."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from codegym.facts import Step
from codegym.judge import Status
from codegym.rewards.arguments import check_number
from codegym.rewards.base import ScoresNeeded, Term, at_end, at_verdict, causal
from codegym.rewards.spans import num_given_tokens, policy_lines


def length(*, free: int = 0) -> Term:
    """Take 1 / max_tokens for each token that the policy wrote beyond the first ``free``; in [-1, 0].

    Paid at the end; each token bears its own part. With a positive weight this is a cost.

    Raises:
        ValueError: ``free`` is negative or not finite.
    """
    check_number("free", free, 0)

    def credit(last: Step) -> NDArray[np.float64]:
        cost = np.zeros(last.num_tokens)
        cost[num_given_tokens(last) + int(free) :] = -1 / last.max_tokens
        return cost

    return at_end("length", credit, ScoresNeeded.NEVER, -1.0, 0.0)


def line_cap(*, cap: int = 100) -> Term:
    """Take 1 for each line that the policy closes beyond ``cap`` lines, neutral ones counted; 0 at most.

    Raises:
        ValueError: ``cap`` is negative or not finite.
    """
    check_number("cap", cap, 0)

    def stream(step: Step) -> float:
        return -1.0 if step.line is not None and len(policy_lines(step)) > cap else 0.0

    return causal("line_cap", stream, ScoresNeeded.NEVER, -math.inf, 0.0)


def syntax() -> Term:
    """-1 for a program that does not compile, else 0; on the last token."""
    return at_verdict("syntax", lambda verdict: -float(verdict.status is Status.SYNTAX_ERROR), -1.0, 0.0)


def finished() -> Term:
    """-1 for a program that its token budget ended, else 0; on the last token."""

    def stream(step: Step) -> float:
        return -float(step.ended and step.budget_exhausted)

    return causal("finished", stream, ScoresNeeded.NEVER, -1.0, 0.0)
