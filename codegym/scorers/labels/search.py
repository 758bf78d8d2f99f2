"""The search for the longest recoverable prefix of a program.

It is Algorithm 1 of PSGPO (Dai et al., arXiv 2410.17621). A prefix is recoverable if any of K sampled completions
passes. Binary search over the lines finds the longest recoverable prefix, so a program of T lines costs about
``log2(T)`` times K completions and not T times K. The search assumes that a lost program stays lost. Prefixes end at
lines of code only, because a comment cannot lose anything.

The use of *witnesses* is ours: a completion that passes may begin with the next lines of the program itself, and then
it proves these to be correct as well. Witnesses cost nothing, save measurements, and correct a "lost" that was bad luck
of the sampler. The one that shares most lines is kept, and a model can learn from it how the program should continue.

A search does not sample: it names the prefixes to measure in ``queries`` and receives the results by ``update``, so
many searches share one batch of the sampler.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import takewhile
from typing import Literal, NamedTuple, Protocol

from codegym.scorers.labels.labels import JudgedCompletion, LabeledProgram, SuccessCount, code_line_indices
from codegym.syntax.lines import split_lines
from codegym.tasks.record import Task

Method = Literal["binary_search", "monte_carlo"]


@dataclass(frozen=True, slots=True)
class SampledProgram:
    """A program that a policy wrote, with its verdict."""

    task: Task
    completion: str
    passed: bool


class MeasuredPrefix(NamedTuple):
    """What was measured of a prefix. All programs are whole, with the prefix."""

    success_count: SuccessCount
    passing: Sequence[str]
    """Different programs that begin with the prefix and pass."""
    kept: Sequence[tuple[str, bool]]
    """Programs to be kept, and whether they pass."""


class SearchPlan(Protocol):
    """The order in which the prefixes of one program are measured. Lengths of prefixes are numbers of lines."""

    @property
    def queries(self) -> tuple[int, ...]:
        """Lengths of the prefixes to measure next; empty if the search has ended."""

    @property
    def num_correct_lines(self) -> int:
        """Length of the longest prefix that is known to be recoverable, 0 for none."""

    def update(self, num_proven: Mapping[int, int]) -> None:
        """Record the results of ``queries``.

        Args:
            num_proven: Length of a prefix -> number of lines that its passing completions prove correct, 0 for none.
        """


class BinarySearch:
    """Plan that finds the longest recoverable prefix of a failing program by bisection.

    The whole program is known to be lost, since it fails. If no prefix with code is recoverable, the prompt alone is
    measured at the end: if the task cannot be solved from there, its failures show nothing about lines.

    >>> plan = BinarySearch([1, 2, 3, 4])
    >>> while plan.queries:
    ...     print(plan.queries)
    ...     plan.update({plan.queries[0]: 0})
    (2,)
    (1,)
    (0,)

    Args:
        ends: Ascending lengths of the prefixes that end with a line of code; the last is that of the program.
    """

    def __init__(self, ends: Sequence[int]) -> None:
        self.ends = ends
        self._num_recoverable = 0  # the first so many of ``ends`` are recoverable
        self._lost = [len(ends)]  # positions in ``ends``, from 1, that were lost; the shortest prefix last
        self._prompt_is_measured = False

    @property
    def queries(self) -> tuple[int, ...]:
        """The prefix in the middle between the longest recoverable and the shortest lost one, or the prompt."""
        is_bracketed = self._num_recoverable == self._lost[-1] - 1
        if not self.ends or (is_bracketed and (self._num_recoverable or self._prompt_is_measured)):
            return ()
        return (self._length(self._middle),)

    @property
    def num_correct_lines(self) -> int:
        """Length of the longest prefix that is known to be recoverable, 0 for none."""
        return self._length(self._num_recoverable)

    def update(self, num_proven: Mapping[int, int]) -> None:
        """Record the result of the query."""
        [proven] = num_proven.values()
        if self._middle == 0:
            self._prompt_is_measured = True
        elif not proven:
            self._lost.append(self._middle)
        furthest = min(bisect_right(self.ends, proven), len(self.ends) - 1)
        self._num_recoverable = max(self._num_recoverable, furthest)
        while self._lost[-1] <= self._num_recoverable:  # a witness shows that this loss was bad luck
            self._lost.pop()

    @property
    def _middle(self) -> int:
        return (self._num_recoverable + self._lost[-1]) // 2

    def _length(self, position: int) -> int:
        return self.ends[position - 1] if position else 0


class ExhaustiveSearch:
    """Plan that measures all prefixes of a program at once, that without lines included, for soft and marginal labels.

    Args:
        ends: Ascending lengths of the prefixes that end with a line of code; the last is that of the program.
    """

    def __init__(self, ends: Sequence[int]) -> None:
        self.ends = ends
        self.queries: tuple[int, ...] = (0, *ends[:-1])
        self.num_correct_lines = 0

    def update(self, num_proven: Mapping[int, int]) -> None:
        """Record the results, which end the search."""
        furthest = max(num_proven.values())
        self.num_correct_lines = max((end for end in self.ends[:-1] if end <= furthest), default=0)
        self.queries = ()


class PrefixSearch:
    """Search for the labels of one program.

    Args:
        program: The program.
        method: "binary_search" or "monte_carlo", which measures every prefix.
        witnesses: Whether passing completions may prove more lines than the prefix that they complete.
    """

    def __init__(self, program: SampledProgram, method: Method, witnesses: bool) -> None:
        self.program, self.witnesses = program, witnesses
        self.lines = split_lines(program.completion)
        self.success_counts: dict[int, SuccessCount] = {}
        self.completions: list[JudgedCompletion] = []
        self.witness = ""
        """Of the programs that pass, the first of those that share the most lines with this one; empty for none."""
        self.was_given_up = False
        ends = [index + 1 for index in code_line_indices(program.completion)]
        if method == "monte_carlo":
            self._plan: SearchPlan = ExhaustiveSearch(ends)
            if ends:  # the program itself is one completion of its whole length, as in Math-Shepherd
                self.success_counts[ends[-1]] = SuccessCount(int(program.passed), 1)
        else:
            self._plan = BinarySearch([] if program.passed else ends)

    @property
    def queries(self) -> tuple[int, ...]:
        """Lengths, in lines, of the prefixes to measure next; empty if the search has ended."""
        return () if self.was_given_up else self._plan.queries

    def prefix(self, num_lines: int) -> str:
        """Return the first ``num_lines`` lines of the program."""
        return "".join(self.lines[:num_lines])

    def give_up(self) -> None:
        """End the search without a result, because the machine failed, which shows nothing about lines."""
        self.was_given_up = True

    def update(self, measured: Mapping[int, MeasuredPrefix]) -> None:
        """Record what was measured.

        Args:
            measured: Length of a prefix -> its measurement, for all of ``queries``.
        """
        for num_lines, found in measured.items():
            start = len(self.prefix(num_lines))
            self.success_counts[num_lines] = found.success_count
            self.completions += [JudgedCompletion(num_lines, text[start:], passed) for text, passed in found.kept]
        if self.witnesses and not self.program.passed:
            passing = [text for found in measured.values() for text in found.passing]
            self.witness = max([self.witness, *passing], key=lambda text: (bool(text), self._num_shared(text)))
        self._plan.update({num_lines: self._num_proven(num_lines, found) for num_lines, found in measured.items()})

    def result(self) -> LabeledProgram | None:
        """Return the labeled program once ``queries`` is empty, None if the search was given up."""
        if self.was_given_up:
            return None
        task, completion, passed = self.program.task, self.program.completion, self.program.passed
        return LabeledProgram(
            task.task_id,
            task.prompt,
            completion,
            passed,
            len(self.lines) if passed else self._plan.num_correct_lines,
            self.success_counts,
            self.witness,
            tuple(self.completions),
        )

    def _num_proven(self, num_lines: int, found: MeasuredPrefix) -> int:
        """Return how many first lines of the program are also those of a program that passes."""
        if not self.witnesses:
            return num_lines if found.passing else 0
        return max(map(self._num_shared, found.passing), default=0)

    def _num_shared(self, text: str) -> int:
        """Return how many first lines a text and the program have in common."""
        pairs = zip(self.lines, split_lines(text), strict=False)
        return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], pairs))
