"""Outcome terms: the verdict on the whole program, paid on its last token."""

from __future__ import annotations

from enum import IntEnum

from codegym.judge import Status, Verdict
from codegym.rewards.base import Term, from_verdict


class OutcomeClass(IntEnum):
    """The four classes of outcomes of CodeRL (arXiv 2207.01780) and its successors, from worst to best."""

    COMPILE_ERROR = 0
    RUNTIME_ERROR = 1
    FAILED = 2
    PASSED = 3


CODERL_REWARDS = {
    OutcomeClass.COMPILE_ERROR: -1.0,
    OutcomeClass.RUNTIME_ERROR: -0.6,
    OutcomeClass.FAILED: -0.3,
    OutcomeClass.PASSED: 1.0,
}
"""CodeRL's reward of each class (arXiv 2207.01780)."""
_CLASSES = {
    Status.SYNTAX_ERROR: OutcomeClass.COMPILE_ERROR,
    Status.RUNTIME_ERROR: OutcomeClass.RUNTIME_ERROR,
    Status.TIMEOUT: OutcomeClass.RUNTIME_ERROR,
    Status.MEMORY_LIMIT: OutcomeClass.RUNTIME_ERROR,
    Status.OUTPUT_LIMIT: OutcomeClass.RUNTIME_ERROR,
    Status.WRONG_ANSWER: OutcomeClass.FAILED,
    Status.PASSED: OutcomeClass.PASSED,
}


def outcome_class(verdict: Verdict) -> OutcomeClass:
    """Return the worst class of a ``verdict``'s checks: an error in any check outweighs an earlier failure."""
    return min(_CLASSES[status] for status in (verdict.status, *verdict.checks) if status is not Status.NOT_RUN)


def outcome() -> Term:
    """Pay 1 for a program that passes every check, else 0.

    Formula: 1 if all checks pass, 0 otherwise; on the last token.

    Range: [0, 1].

    Source: the unit-test reward of PSGPO (Dai et al., arXiv 2410.17621, section 3), and of most work on RL for code.

    Known hacks: weak tests. A program may special-case the inputs that it can see in its prompt: hold tests back.
    """
    return from_verdict("outcome", lambda verdict: float(verdict.passed), 0.0, 1.0)


def pass_ratio() -> Term:
    """Pay the share of checks that a program passes.

    Formula: passed checks / all checks of the task; on the last token. A check that was not run did not pass, so the
    judge should not stop at the first failure.

    Range: [0, 1].

    Source: the adaptive feedback of RLTF (arXiv 2307.04349) without its classes of errors.

    Known hacks: a constant answer earns the share of checks that expect it, and a policy can settle there.
    """
    return from_verdict("pass_ratio", lambda verdict: verdict.passed_checks / max(verdict.total_checks, 1), 0.0, 1.0)


def coderl() -> Term:
    """Pay one of four values by the class of the outcome.

    Formula: -1 if the program does not compile, -0.6 for a runtime error or an exhausted limit, -0.3 if it fails, 1 if
    it passes; on the last token. The worst check that ran decides, not the first that did not pass.

    Range: [-1, 1].

    Source: CodeRL (Le et al., arXiv 2207.01780).

    Known hacks: an empty completion compiles and earns -0.3 or -0.6, more than most programs of a weak policy.
    """
    return from_verdict("coderl", lambda verdict: CODERL_REWARDS[outcome_class(verdict)], -1.0, 1.0)
