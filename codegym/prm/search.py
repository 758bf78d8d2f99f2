"""The search for the longest recoverable prefix: for many programs at once, each prefix asked about only once.

The procedure is Algorithm 1 of PSGPO (Dai et al., arXiv 2410.17621): a prefix is recoverable where any of K sampled
completions passes, and the longest recoverable prefix is found by binary search over the lines, so that a program of T
lines costs about ``log2(T)`` times K completions and not T times. It presumes that what is lost once stays lost.
Only lines that are not neutral are borders, since a comment changes nothing that could be lost.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from codegym.prm.labels import Estimate, LabelledProgram, code_lines
from codegym.task import Task

Method = Literal["search", "rates"]
Plan = Generator[tuple[int, ...], Mapping[int, Estimate], int]
"""Yields numbers of lines whose prefixes must be known, is sent what is known, and returns the last right line."""


@dataclass(frozen=True, slots=True)
class SampledProgram:
    """A program that a policy wrote, with its verdict."""

    task: Task
    completion: str
    passed: bool


def plan(program: SampledProgram, method: Method) -> Plan:
    """Give the plan of a method for one program.

    ``"search"`` asks for one prefix at a time, and nothing of a program that passes. ``"rates"`` asks at once for all
    prefixes, that of no lines included, as soft and marginal labels need it.
    """
    borders = code_lines(program.completion)
    return binary_search(borders, program.passed) if method == "search" else _all_rates(borders, program.passed)


def binary_search(borders: Sequence[int], passed: bool) -> Plan:
    """Find the last of ``borders`` up to which lines are right, 0 where none is.

    The whole program is known: where it fails, its last line is wrong.

    >>> search = binary_search([1, 2, 3, 4], passed=False)
    >>> next(search), search.send({2: Estimate(0, 20)})
    ((2,), (1,))
    """
    if passed or not borders:
        return borders[-1] if passed and borders else 0
    low, high = 0, len(borders) - 1
    while low < high:
        middle = (low + high + 1) // 2
        border = borders[middle - 1]
        known = yield (border,)
        low, high = (middle, high) if known[border].successes else (low, middle - 1)
    return borders[low - 1] if low else 0


def _all_rates(borders: Sequence[int], passed: bool) -> Plan:
    known = yield (0, *borders[:-1])
    if passed and borders:
        return borders[-1]
    return max((border for border in borders[:-1] if known[border].successes), default=0)


class Search:
    """One program on its way to its labels.

    Args:
        program: the program.
        method: how its labels are found.
    """

    def __init__(self, program: SampledProgram, method: Method) -> None:
        self.program = program
        self.lines = LabelledProgram(program.task.task_id, "", program.completion, False, 0).lines
        self.method = method
        self.probes: dict[int, Estimate] = {}
        self.result: LabelledProgram | None = None
        self.is_done = False
        """Found, or given up: then there is no result."""
        self.wanted: tuple[int, ...] = ()
        self._plan = plan(program, method)
        self._go_on(None)

    def prefix(self, count: int) -> str:
        """Give the first so many lines."""
        return "".join(self.lines[:count])

    def answer(self, known: Mapping[int, Estimate] | None) -> None:
        """Take what was found about ``wanted``; None where the machine failed, which says nothing about a line."""
        if known is None:
            self.is_done = True
            return
        self.probes |= known
        self._go_on(known)

    def _go_on(self, known: Mapping[int, Estimate] | None) -> None:
        try:
            self.wanted = next(self._plan) if known is None else self._plan.send(known)
        except StopIteration as end:
            self._finish(end.value)

    def _finish(self, last_right: int) -> None:
        task, completion, passed = self.program.task, self.program.completion, self.program.passed
        if self.method == "rates" and (borders := code_lines(completion)):
            self.probes[borders[-1]] = Estimate(int(passed), 1)  # the whole program is known, as in Math-Shepherd
        last_right = len(self.lines) if passed else last_right
        self.result = LabelledProgram(task.task_id, task.prompt, completion, passed, last_right, self.probes)
        self.is_done = True
