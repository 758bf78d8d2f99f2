"""Statuses, verdicts, and the protocol of a judge."""

from __future__ import annotations

from concurrent.futures import Future
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from codegym.sandbox.base import Failure
from codegym.tasks.record import Task


class Status(StrEnum):
    """What became of a program or of one check."""

    PASSED = "passed"
    WRONG_ANSWER = "wrong_answer"
    RUNTIME_ERROR = "runtime_error"
    SYNTAX_ERROR = "syntax_error"
    TIMEOUT = "timeout"
    MEMORY_LIMIT = "memory_limit"
    OUTPUT_LIMIT = "output_limit"
    NOT_RUN = "not_run"
    """Of checks only: the process had ended, or an earlier check used up a limit or was the last one wanted."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the judge decided about one program."""

    status: Status
    """That of the first check that did not pass."""
    checks: tuple[Status, ...]
    """One for each check of the task, in order."""
    error: Failure | None = None
    """The exception behind ``status``; its line is 1-based in the completion, None where it lies outside."""
    cpu_seconds: float = 0.0
    """CPU time of all processes of the program."""
    executed_lines: frozenset[int] | None = None
    """1-based lines of the completion that ran, where the judge was made with ``trace_lines``."""

    @property
    def passed(self) -> bool:
        """Whether every check passed."""
        return self.status is Status.PASSED

    @property
    def passed_checks(self) -> int:
        """How many checks passed."""
        return self.checks.count(Status.PASSED)

    @property
    def total_checks(self) -> int:
        """How many checks the task has."""
        return len(self.checks)


class JudgeLike(Protocol):
    """Judge of finished programs: ``codegym.Judge``, or any object with this method."""

    def submit(self, task: Task, completion: str) -> Future[Verdict]:
        """Start judging; the future holds a verdict, or a ``SandboxError`` if the machine failed."""
