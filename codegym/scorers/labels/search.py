"""The search for the longest recoverable prefix: for many programs at once, each prefix asked about only once.

The procedure is Algorithm 1 of PSGPO (Dai et al., arXiv 2410.17621): a prefix is recoverable where any of K sampled
completions passes, and the longest recoverable prefix is found by binary search over the lines, so that a program of T
lines costs about ``log2(T)`` times K completions and not T times. It presumes that what is lost once stays lost.
Only lines that are not neutral are borders, since a comment changes nothing that could be lost.

Ours is the use of *witnesses*: a completion that passes may begin with the program's own next lines, and then it proves
those to be right as well. That costs nothing, saves questions, and takes back a "lost" that was bad luck. The one that
goes farthest is kept: a model that also learns from it is told what would have been right.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass
from itertools import takewhile
from typing import Literal, NamedTuple

from codegym.scorers.labels.labels import JudgedCompletion, LabeledProgram, SuccessCount, code_line_indices
from codegym.syntax.lines import split_lines
from codegym.tasks.record import Task

Method = Literal["binary_search", "monte_carlo"]
Plan = Generator[tuple[int, ...], Mapping[int, int], int]
"""Yields numbers of lines whose prefixes must be known, is sent how many lines each of them proves to be right (0 where
it is lost), and returns the last right line."""


@dataclass(frozen=True, slots=True)
class SampledProgram:
    """A program that a policy wrote, with its verdict."""

    task: Task
    completion: str
    passed: bool


class Measured(NamedTuple):
    """What was found about a prefix; programs stand whole, with the prefix."""

    estimate: SuccessCount
    passing: Sequence[str]
    """Different programs that pass."""
    kept: Sequence[tuple[str, bool]]
    """Programs to be kept, and whether they pass."""


def binary_search(borders: Sequence[int]) -> Plan:
    """Find the last of ``borders`` up to which the lines of a failing program are right, 0 where none is.

    The whole program is known: its last line is wrong, since the program ended there. Where no line is found to be
    right, the prompt alone is tried in the end: a task that cannot be solved from there says nothing about lines.

    >>> search = binary_search([1, 2, 3, 4])
    >>> next(search), search.send({2: 0}), search.send({1: 0})
    ((2,), (1,), (0,))
    """
    low, lost = 0, [len(borders)]  # of the first so many borders; what is lost, the shortest last
    prompt_is_known = False
    while low < lost[-1] - 1 or (low == 0 and not prompt_is_known):
        middle = (low + lost[-1]) // 2
        prompt_is_known = prompt_is_known or middle == 0
        count = borders[middle - 1] if middle else 0
        proven = (yield (count,))[count]
        if middle and not proven:
            lost.append(middle)
        low = max(low, min(bisect_right(borders, proven), len(borders) - 1))
        while lost[-1] <= low:  # it was bad luck
            lost.pop()
    return borders[low - 1] if low else 0


def all_rates(borders: Sequence[int]) -> Plan:
    """Ask for all prefixes of a program at once, that of no lines included, as soft and marginal labels need it."""
    known = yield (0, *borders[:-1])
    proven = max(known.values())
    return max((border for border in borders[:-1] if border <= proven), default=0)


class Search:
    """One program on its way to its labels.

    Args:
        program: the program.
        method: "binary_search" or "monte_carlo".
        witnesses: whether completions that pass may prove more than the prefix that they complete.
    """

    def __init__(self, program: SampledProgram, method: Method, witnesses: bool) -> None:
        self.program, self.method, self.witnesses = program, method, witnesses
        self.lines = split_lines(program.completion)
        self.borders = [index + 1 for index in code_line_indices(program.completion)]
        self.success_counts: dict[int, SuccessCount] = {}
        self.completions: list[JudgedCompletion] = []
        self.result: LabeledProgram | None = None
        self.is_done = False
        """Found, or given up: then there is no result."""
        self.witness = ""
        """Of the programs that pass, the first one of those that begin with the most lines of this program."""
        self.wanted: tuple[int, ...] = ()
        """Numbers of lines whose prefixes must be known to go on."""
        self._plan = all_rates(self.borders) if method == "monte_carlo" else binary_search(self.borders)
        if method == "binary_search" and (program.passed or not self.borders):
            self._finish(0)
        else:
            self.wanted = next(self._plan, ())
            if not self.wanted:
                self._finish(0)

    def prefix(self, count: int) -> str:
        """Give the first so many lines."""
        return "".join(self.lines[:count])

    def give_up(self) -> None:
        """End without a result: the machine failed, which says nothing about a line."""
        self.is_done = True

    def answer(self, found: Mapping[int, Measured]) -> None:
        """Take what was found about each wanted prefix."""
        self.success_counts |= {count: measured.estimate for count, measured in found.items()}
        for count, measured in found.items():
            start = len(self.prefix(count))
            self.completions += [JudgedCompletion(count, text[start:], passed) for text, passed in measured.kept]
        proven = {count: self._proven(count, measured.passing) for count, measured in found.items()}
        if self.witnesses and not self.program.passed:
            known = [text for measured in found.values() for text in measured.passing]
            self.witness = max([self.witness, *known], key=lambda text: (bool(text), self._shared(text)))
        try:
            self.wanted = self._plan.send(proven)
        except StopIteration as end:
            self._finish(end.value)

    def _proven(self, count: int, passing: Sequence[str]) -> int:
        """How many lines of the program are the beginning of one that passes."""
        if not self.witnesses:
            return count if passing else 0
        return max(map(self._shared, passing), default=0)

    def _shared(self, text: str) -> int:
        """How many lines a text and the program have in common from the start."""
        pairs = zip(self.lines, split_lines(text), strict=False)
        return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], pairs))

    def _finish(self, num_correct_lines: int) -> None:
        task, completion, passed = self.program.task, self.program.completion, self.program.passed
        if self.method == "monte_carlo" and self.borders:  # the whole program is known, as in Math-Shepherd
            self.success_counts[self.borders[-1]] = SuccessCount(int(passed), 1)
        num_correct_lines = len(self.lines) if passed else num_correct_lines
        self.result = LabeledProgram(
            task.task_id,
            task.prompt,
            completion,
            passed,
            num_correct_lines,
            self.success_counts,
            self.witness,
            tuple(self.completions),
        )
        self.is_done = True
