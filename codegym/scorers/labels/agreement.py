"""Comparison of hard labels with an oracle that knows the first wrong line."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import NamedTuple

from codegym.scorers.labels.labels import LabeledProgram, code_line_indices, line_labels


class Agreement(NamedTuple):
    """How hard labels compare with an oracle."""

    lines: int
    """Number of lines of code."""
    agreed: int
    """Number of lines whose label has the sign that the oracle expects."""
    programs: int
    exact: int
    """Number of programs all lines of which agree."""
    early: int
    """Number of programs whose labels turn -1 too early: a recoverable prefix was missed."""
    late: int
    """Number of programs whose labels turn -1 too late: the sampler repaired what the oracle calls wrong."""

    @property
    def share(self) -> float:
        """Share of the lines that agree; 1 if there is no line."""
        return self.agreed / self.lines if self.lines else 1.0


def agreement(programs: Iterable[LabeledProgram], oracle: Callable[[LabeledProgram], int | None]) -> Agreement:
    """Compare hard labels with an oracle.

    Args:
        programs: Labeled programs to compare.
        oracle: Function that returns the number, from 1, of the first wrong line of a program, None if no line is
            wrong. A program that fails without a wrong line ended too early, and its last line of code counts as the
            wrong one, as in the labels.
    """
    counts = dict.fromkeys(Agreement._fields, 0)
    for program in programs:
        ours = [label for label in line_labels(program) if label]
        difference = ours.count(1.0) - _num_correct(program, oracle(program))
        counts["lines"] += len(ours)
        counts["agreed"] += len(ours) - abs(difference)  # both are 1 ... 1, -1 ... -1
        counts["programs"] += 1
        counts["exact" if not difference else "early" if difference < 0 else "late"] += 1
    return Agreement(**counts)


def _num_correct(program: LabeledProgram, first_wrong: int | None) -> int:
    """Return how many lines of code are before the first wrong line."""
    indices = code_line_indices(program.completion)
    if first_wrong is not None:
        return sum(index + 1 < first_wrong for index in indices)
    return len(indices) if program.passed else max(0, len(indices) - 1)
