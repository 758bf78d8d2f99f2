"""Statuses, verdicts, and the protocol of a judge."""

from __future__ import annotations

from concurrent.futures import Future
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol, runtime_checkable

from codegym.sandbox.base import Failure
from codegym.tasks.record import Task


class Status(StrEnum):
    """Status of a program or of one check."""

    PASSED = "passed"
    WRONG_ANSWER = "wrong_answer"
    RUNTIME_ERROR = "runtime_error"
    SYNTAX_ERROR = "syntax_error"
    TIMEOUT = "timeout"
    MEMORY_LIMIT = "memory_limit"
    OUTPUT_LIMIT = "output_limit"
    NOT_RUN = "not_run"
    """Status of a check only: the process had ended, an earlier check hit a limit, or the judge stops at the first
    failure."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """Decision of a judge about one program."""

    status: Status
    """Status of the first check that did not pass, ``PASSED`` if all did."""
    checks: tuple[Status, ...]
    """Status of each check of the task, in order."""
    error: Failure | None = None
    """Exception behind ``status``; its line is 1-based in the completion, None if it is outside of the completion."""
    cpu_seconds: float = 0.0
    """CPU time of all processes of the program, in seconds."""
    executed_lines: frozenset[int] | None = None
    """1-based lines of the completion that were executed, None unless the judge was made with ``trace_lines``."""

    @property
    def passed(self) -> bool:
        """Whether every check passed."""
        return self.status is Status.PASSED

    @property
    def passed_checks(self) -> int:
        """Number of checks that passed."""
        return self.checks.count(Status.PASSED)

    @property
    def total_checks(self) -> int:
        """Number of checks of the task."""
        return len(self.checks)


@runtime_checkable
class JudgeLike(Protocol):
    """Judge of finished programs: ``codegym.Judge``, or any object with this method."""

    def submit(self, task: Task, completion: str) -> Future[Verdict]:
        """Start judging; the future holds a verdict, or a ``SandboxError`` if the machine failed.

        Args:
            task: Task with the checks.
            completion: Program without the task's preamble.
        """
