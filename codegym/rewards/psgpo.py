"""PSGPO's dense reward (Dai et al., arXiv 2410.17621)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from codegym.rewards.base import Term, at_end
from codegym.rewards.credit.spans import code_lines, credit_lines, policy_lines
from codegym.rewards.validation import check_choice, check_number, unit_score
from codegym.step import Step


def psgpo(*, fail: float = 0.25, passed: float = 0.025, lines: str = "all") -> Term:
    """lambda(outcome) / T times the score of each line, on the token that closes it; in [-lambda, lambda].

    The paper adds it to ``outcome``: a program that fails then earns at most 0.25, one that passes at least 0.975.
    Neutral and unscored lines have the score 0. lambda depends on the outcome and T on the length, so it is paid at
    the end.

    Args:
        fail: lambda of a program that does not pass.
        passed: lambda of a program that passes.
        lines: what T counts. ``"all"``: every line that the policy closed, neutral ones too, as in the paper; more
            comments make a bad program cheaper then. ``"code"``: lines of code only.

    Raises:
        ValueError: a lambda is negative or not finite; later, a score outside [-1, 1], which would break the bound.
    """
    check_number("fail", fail, 0)
    check_number("passed", passed, 0)
    check_choice("lines", lines, ("all", "code"))
    counted = policy_lines if lines == "all" else code_lines

    def credit(last: Step) -> NDArray[np.float64]:
        assert last.verdict is not None
        weight = (passed if last.verdict.passed else fail) / max(len(counted(last)), 1)
        return credit_lines(last, {line.number: weight * unit_score(line) for line in code_lines(last)})

    bound = max(fail, passed)
    return at_end("psgpo", credit, low=-bound, high=bound)
