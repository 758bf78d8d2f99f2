"""Outcome terms: what the tests said about the whole program, on its last token."""

from __future__ import annotations

from enum import IntEnum

from codegym.judge import Status, Verdict
from codegym.rewards.base import Term, from_verdict


class OutcomeClass(IntEnum):
    """The four classes of outcomes of CodeRL and of those who came after, from worst to best."""

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
    """The worst class among all checks that ran: an error in any check outweighs a failure in an earlier one."""
    return min(_CLASSES[status] for status in (verdict.status, *verdict.checks) if status is not Status.NOT_RUN)


def outcome() -> Term:
    """1 for a program that passes every check, else 0: the unit-test reward of PSGPO (arXiv 2410.17621, section 3)."""
    return from_verdict("outcome", lambda verdict: float(verdict.passed), 0.0, 1.0)


def pass_ratio() -> Term:
    """Checks passed / checks of the task, in [0, 1]; a check that was not run did not pass."""
    return from_verdict("pass_ratio", lambda verdict: verdict.passed_checks / max(verdict.total_checks, 1), 0.0, 1.0)


def coderl() -> Term:
    """-1 does not compile, -0.6 runtime error or limit, -0.3 failed, +1 passed (CodeRL, arXiv 2207.01780).

    What counts is the worst over all checks that ran, not the first one that did not pass.
    """
    return from_verdict("coderl", lambda verdict: CODERL_REWARDS[outcome_class(verdict)], -1.0, 1.0)
