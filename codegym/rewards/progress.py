"""How far a program got before it was lost, as the line scorer and the interpreter see it."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from codegym.rewards.base import Term, at_end
from codegym.rewards.credit.spans import credit_lines, is_rewardable, source_lines
from codegym.rewards.validation import check_number, unit_score
from codegym.step import Step
from codegym.syntax.lines import LineKind, line_kinds


def progress(*, expected_lines: float | str = "solution", until_error: bool = True) -> Term:
    """Pay each of the first E lines of code (m + 1) / 2 / E, where m is the smallest score so far; in [0, 1].

    It is made against the ways in which sums of line scores are hacked: what is lost stays lost, so nothing is earned
    after an error that the scorer takes for right; lines beyond the E expected ones earn nothing, so more lines do not
    pay; a wrong line earns no less than no line, so ending early does not pay. And an error that the interpreter
    names is an error, whatever the scorer says: a policy soon finds garbage of which the scorer never saw the like.

    A sum that is divided by the lines written has none of this, and on tokens it is worse still: each new line is
    paid for by those before it, so writing on looks better than it is.

    Args:
        expected_lines: E, 1 or more; ``"solution"`` counts the lines of code of the task's solution. Lines of a given
            prefix are among them.
        until_error: lines from the one on that the verdict's error names earn nothing.

    Raises:
        ValueError: ``expected_lines`` is something else; later, a task without a solution, or a score outside [-1, 1].
    """
    if expected_lines != "solution":
        if isinstance(expected_lines, str):
            raise ValueError(f"expected_lines={expected_lines!r}, wanted a number, 1 or more, or 'solution'")
        check_number("expected_lines", expected_lines, 1)

    def credit(last: Step) -> NDArray[np.float64]:
        expected = _solution_lines(last) if isinstance(expected_lines, str) else expected_lines
        cut = _error_line(last) if until_error else None
        amounts = {number: (score + 1) / 2 / expected for number, score in _smallest(last, expected)}
        return credit_lines(last, {number: value for number, value in amounts.items() if not cut or number < cut})

    return at_end("progress", credit, low=0.0, high=1.0)


def _smallest(last: Step, expected: float) -> Iterator[tuple[int, float]]:
    """Number and smallest score so far of the first ``expected`` lines of code, those that may earn."""
    smallest = 1.0
    for count, line in enumerate((line for line in last.lines if line.kind is LineKind.CODE), start=1):
        if count > expected:
            return
        if line.score is not None:
            smallest = min(smallest, unit_score(line))
        if is_rewardable(line):
            yield line.number, smallest


def _error_line(last: Step) -> int | None:
    """The number of the line that the verdict's error names."""
    error = None if last.verdict is None else last.verdict.error
    if error is None or error.line is None:
        return None
    named = zip(last.lines, source_lines(last.lines), strict=True)
    return next((line.number for line, numbers in named if error.line in numbers), None)


def _solution_lines(last: Step) -> int:
    if last.task.solution is None:
        raise ValueError(f"task {last.task.task_id!r} has no solution to count lines of: give expected_lines a number")
    return _count(last.task.solution)


@lru_cache(maxsize=1 << 14)
def _count(solution: str) -> int:
    return max(line_kinds(solution).count(LineKind.CODE), 1)
