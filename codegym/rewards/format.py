"""Format terms: penalties for length, number of lines, syntax errors and a missing end."""

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
    """Charge the policy for its tokens.

    Formula: -1 / max_tokens for each token that the policy wrote beyond the first ``free_tokens``. It is paid at the
    end, and each token bears its own part.

    Range: [-1, 0]. The term is negative already, so its weight should be positive.

    Source: length penalties are common practice; this linear form is ours.

    Known hacks: with a large weight the shortest program wins, which is the empty one.

    Args:
        free_tokens: Number of tokens that cost nothing, 0 or more.

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
    """Charge the policy for each line beyond a limit.

    Formula: -1 for each line that the policy closes beyond ``max_lines``, neutral lines included; paid line by line.

    Range: at most 0.

    Source: ours, against policies that write lines without end.

    Known hacks: statements joined by semicolons count as one line.

    Args:
        max_lines: Number of lines that cost nothing, 0 or more.

    Raises:
        ValueError: ``max_lines`` is not a whole number, 0 or more.
    """
    check_count("max_lines", max_lines)

    def stream(step: Step) -> float:
        return -1.0 if step.line is not None and len(policy_lines(step)) > max_lines else 0.0

    return per_step("line_limit", stream, ScoresNeeded.NEVER, -math.inf, 0.0)


def syntax_penalty() -> Term:
    """Charge 1 for a program that does not compile.

    Formula: -1 for a syntax error, 0 otherwise; on the last token.

    Range: [-1, 0]. The term is negative already, so its weight should be positive.

    Source: the compile-error class of CodeRL (arXiv 2207.01780) as a term of its own.

    Known hacks: an empty completion compiles.
    """
    return from_verdict("syntax_penalty", lambda verdict: -float(verdict.status is Status.SYNTAX_ERROR), -1.0, 0.0)


def missing_eos() -> Term:
    """Charge 1 for a program that fills its token budget without an end-of-sequence token.

    Formula: -1 if the token budget ended the program, 0 otherwise; on the last token.

    Range: [-1, 0]. The term is negative already, so its weight should be positive.

    Source: ``missing_eos_penalty`` of TRL.

    Known hacks: an immediate end-of-sequence token avoids it.
    """

    def stream(step: Step) -> float:
        return -float(step.ended and step.budget_exhausted)

    return per_step("missing_eos", stream, ScoresNeeded.NEVER, -1.0, 0.0)
