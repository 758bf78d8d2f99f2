"""PSGPO's dense reward (Dai et al., arXiv 2410.17621)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from codegym.rewards.base import Term, at_end
from codegym.rewards.credit.spans import credit_lines, policy_code_lines, policy_lines
from codegym.rewards.validation import check_choice, check_number, unit_score
from codegym.step import Step


def psgpo(*, lambda_fail: float = 0.25, lambda_pass: float = 0.025, lines: str = "all") -> Term:
    """Pay the mean line score times a small weight that depends on the outcome.

    Formula: lambda / T times the score of each line of code, on the token that closes it. lambda is ``lambda_pass`` or
    ``lambda_fail`` by the outcome; T is the number of lines. Neutral and unscored lines have the score 0. lambda
    depends on the outcome and T on the length, so it is paid at the end. The paper adds this term to ``outcome``: a
    program that fails then earns at most 0.25, one that passes at least 0.975.

    Range: [-lambda, lambda] with the larger of the two lambdas; line scores must be in [-1, 1].

    Source: PSGPO (Dai et al., arXiv 2410.17621, section 3).

    Known hacks: it is bounded, so padding never outearns the outcome. With ``lines="all"`` comments dilute the penalty
    of a bad program; ``lines="code"`` prevents that.

    Args:
        lambda_fail: Weight for a program that does not pass, 0 or more.
        lambda_pass: Weight for a program that passes, 0 or more.
        lines: Lines that T counts: ``"all"`` that the policy closed, as in the paper, or its lines of ``"code"``.

    Raises:
        ValueError: A lambda is negative or not finite, or ``lines`` is neither choice. While it is paid: a score is
            outside [-1, 1], which would break the bound.
    """
    check_number("lambda_fail", lambda_fail, 0)
    check_number("lambda_pass", lambda_pass, 0)
    check_choice("lines", lines, ("all", "code"))
    counted = policy_lines if lines == "all" else policy_code_lines

    def credit(last: Step) -> NDArray[np.float64]:
        assert last.verdict is not None
        weight = (lambda_pass if last.verdict.passed else lambda_fail) / max(len(counted(last)), 1)
        return credit_lines(last, {line.number: weight * unit_score(line) for line in policy_code_lines(last)})

    bound = max(lambda_fail, lambda_pass)
    return at_end("psgpo", credit, low=-bound, high=bound)
