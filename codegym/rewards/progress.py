"""Progress: how many of a solution's lines a program got right before its first error."""

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
    """Pay the first lines of code by the smallest score so far, up to the length of a solution.

    Formula: each of the first E lines of code earns (m + 1) / 2 / E; m is the smallest score so far. Lines from an
    error of the interpreter on earn 0. It is paid at the end, on the tokens that close the lines.

    Range: [0, 1]; line scores must be in [-1, 1].

    Source: ours. It prevents the known hacks of sums of line scores: no line after an error earns, since the smallest
    score is kept; lines beyond E earn nothing, so more lines do not pay; a wrong line earns no less than no line, so
    ending early does not pay; and an error of the interpreter counts, whatever the scorer returns, because a trained
    policy finds inputs far from the scorer's training data.

    Known hacks: lines that the scorer rates highly by mistake. After 1,000 updates on this term programs kept the
    length of the solutions (``python -m benchmarks.experiments.hacking``).

    Args:
        expected_lines: E, 1 or more; ``"solution"`` counts the lines of code of the task's solution. Lines of a prefix
            are among them.
        until_error: Whether lines from the one on that the verdict's error names earn 0.

    Raises:
        ValueError: ``expected_lines`` is something else. While it is paid: the task has no solution, or a score is
            outside [-1, 1].
    """
    if expected_lines != "solution":
        if isinstance(expected_lines, str):
            raise ValueError(
                f"wrong expected_lines: got {expected_lines!r}; expected 'solution' or a number, 1 or more"
            )
        check_number("expected_lines", expected_lines, 1)

    def credit(last: Step) -> NDArray[np.float64]:
        expected = _solution_lines(last) if isinstance(expected_lines, str) else expected_lines
        cut = _error_line(last) if until_error else None
        amounts = {number: (score + 1) / 2 / expected for number, score in _smallest(last, expected)}
        return credit_lines(last, {number: value for number, value in amounts.items() if not cut or number < cut})

    return at_end("progress", credit, low=0.0, high=1.0)


def _smallest(last: Step, expected: float) -> Iterator[tuple[int, float]]:
    """Yield number and smallest score so far of the first ``expected`` lines of code that may earn."""
    smallest = 1.0
    for count, line in enumerate((line for line in last.lines if line.kind is LineKind.CODE), start=1):
        if count > expected:
            return
        if line.score is not None:
            smallest = min(smallest, unit_score(line))
        if is_rewardable(line):
            yield line.number, smallest


def _error_line(last: Step) -> int | None:
    """Return the number of the line that the verdict's error names."""
    error = None if last.verdict is None else last.verdict.error
    if error is None or error.line is None:
        return None
    named = zip(last.lines, source_lines(last.lines), strict=True)
    return next((line.number for line, numbers in named if error.line in numbers), None)


def _solution_lines(last: Step) -> int:
    if last.task.solution is None:
        raise ValueError(
            f"no solution to count lines of: got task {last.task.task_id!r} without one; expected a task with a "
            "solution. Pass a number as expected_lines"
        )
    return _count(last.task.solution)


@lru_cache(maxsize=1 << 14)
def _count(solution: str) -> int:
    return max(line_kinds(solution).count(LineKind.CODE), 1)
