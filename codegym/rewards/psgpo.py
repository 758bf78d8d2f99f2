"""PSGPO's dense reward (Dai et al., arXiv 2410.17621)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from codegym.rewards.base import Term, at_end
from codegym.rewards.credit.spans import credit_lines, policy_code_lines, policy_lines
from codegym.rewards.validation import check_choice, check_number, unit_score
from codegym.step import Step


def psgpo(*, lambda_fail: float = 0.25, lambda_pass: float = 0.025, lines: str = "all") -> Term:
    """lambda(outcome) / T times the score of each line, on the token that closes it; in [-lambda, lambda].

    The paper adds it to ``outcome``: a program that fails then earns at most 0.25, one that passes at least 0.975.
    Neutral and unscored lines have the score 0. lambda depends on the outcome and T on the length, so it is paid at
    the end.

    Args:
        lambda_fail: lambda of a program that does not pass.
        lambda_pass: lambda of a program that passes.
        lines: what T counts. ``"all"``: every line that the policy closed, neutral ones too, as in the paper; more
            comments make a bad program cheaper then. ``"code"``: lines of code only.

    Raises:
        ValueError: a lambda is negative or not finite; later, a score outside [-1, 1], which would break the bound.
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
