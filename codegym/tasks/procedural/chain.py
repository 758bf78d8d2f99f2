"""Straight-line programs: a chain of operations on one value, an operation a line."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from typing import ClassVar, NamedTuple

from codegym.tasks.procedural.base import Procedural, SolutionLine, TaskDraft
from codegym.tasks.procedural.grammar import BUILTINS

_VARIABLE = re.compile(r"\bv\b")
_LEAST = 12  # the hardest tasks choose from this number of operations,
_CHOICE = 6  # or from this number more than the task has lines, since not every one fits after the others


class Operation(NamedTuple):
    """An operation: its phrase in prompts, its source and its plausible wrong sources; ``v`` is the variable."""

    phrase: str
    right: str
    wrong: tuple[str, ...]
    bug_rate: float


def operations(table: str) -> tuple[Operation, ...]:
    """Return the operations of a ``table``: bug rate in percent ; phrase ; right ; wrong ; wrong ..., a line each."""
    rows = [[cell.strip() for cell in row.split(";")] for row in table.strip().splitlines()]
    return tuple(Operation(row[1], row[2], tuple(row[3:]), int(row[0]) / 100) for row in rows)


@dataclass(frozen=True)
class Chains:
    """The parts of a family of straight-line programs.

    Args:
        steps: Operations of the lines; those of one task are all different.
        ends: Operations of the last line.
        variables: Names of the variable, one letter each.
    """

    steps: tuple[Operation, ...]
    ends: tuple[Operation, ...]
    variables: str

    @cached_property
    def bug_rates(self) -> dict[str, float]:
        """Probability that each operation goes wrong."""
        return {operation.phrase: operation.bug_rate for operation in (*self.steps, *self.ends)}

    def sketch(self, source: random.Random, horizon: int, difficulty: float, first: object) -> TaskDraft | None:
        """Return steps, an end and a variable such that each wrong line changes the result for ``first``.

        None if no operation fits.

        Args:
            source: The only source of randomness.
            horizon: Number of steps.
            difficulty: Number from 0 to 1: the larger, the more the steps are those that often go wrong.
            first: Argument of the call by which wrong lines are noticed.
        """
        value = first
        chosen: list[Operation] = []
        spoiled: list[object] = []
        pool = _shuffled(source, _pool(self.steps, difficulty, max(_LEAST, horizon + _CHOICE)))
        for choices in [*[pool] * horizon, _shuffled(source, self.ends)]:
            for operation in choices:
                if operation not in chosen and (after := _apply(operation, value, spoiled, choices is pool)):
                    break
            else:
                return None
            chosen.append(operation)
            value, spoiled = after
        return self._written(chosen, source.choice(self.variables), (first,))

    def _written(
        self, chosen: Sequence[Operation], variable: str, discriminating_input: tuple[object, ...]
    ) -> TaskDraft:
        steps, end = chosen[:-1], chosen[-1]
        lines = [SolutionLine(f"def f({variable}):", "def")]
        lines += [_line(step, variable, f"    {variable} = ") for step in steps]
        lines.append(_line(end, variable, "    return "))
        prompt = f"f({variable}): {', '.join(step.phrase for step in steps)}; return {end.phrase}\n"
        return TaskDraft(prompt, tuple(lines), discriminating_input)

    def examples(self) -> Iterator[str]:
        """Yield texts that hold every word of the prompts and programs."""
        for variable in self.variables:
            yield f"f({variable}):"
            yield f"def f({variable}):\n"
            for operation in (*self.steps, *self.ends):
                start = f"    {variable} = " if operation in self.steps else "    return "
                line = _line(operation, variable, start)
                yield f": {operation.phrase}, {operation.phrase}; return {operation.phrase}\n"
                yield "".join(text + "\n" for text in (line.text, *line.wrong))


def _shuffled(source: random.Random, operations: tuple[Operation, ...]) -> list[Operation]:
    return source.sample(operations, len(operations))


def _apply(
    operation: Operation, value: object, spoiled: list[object], is_step: bool
) -> tuple[object, list[object]] | None:
    """Return the value after an operation, and after each program with one wrong line; None if two are the same.

    A step that is left out is a wrong line too.
    """
    right, *wrong = _functions(operation)
    try:
        after = right(value)
        if is_step and after == value:
            return None
        values = [*[function(value) for function in wrong], *[right(other) for other in spoiled]]
        values += [value] * is_step
    except (IndexError, ValueError):  # there is nothing left of it
        return None
    return None if after in values else (after, values)


@cache
def _functions(operation: Operation) -> list[Callable[[object], object]]:
    return [eval(f"lambda v: {text}", dict(BUILTINS)) for text in (operation.right, *operation.wrong)]


@cache
def _pool(steps: tuple[Operation, ...], difficulty: float, least: int) -> tuple[Operation, ...]:
    """Return those steps that go wrong most often: all at difficulty 0, and ``least`` of them at 1."""
    hardest = sorted(steps, key=lambda step: -step.bug_rate)
    return tuple(hardest[: round(len(hardest) - difficulty * (len(hardest) - least))])


@cache
def _line(operation: Operation, variable: str, start: str) -> SolutionLine:
    written = [start + _VARIABLE.sub(variable, text) for text in (operation.right, *operation.wrong)]
    return SolutionLine(written[0], operation.phrase, operation.bug_rate, tuple(written[1:]))


class ChainFamily(Procedural):
    """A family whose programs are chains; a subclass sets ``chains`` and writes ``sample_arguments``."""

    horizons: ClassVar[tuple[int, int]] = (1, 12)
    chains: ClassVar[Chains]

    def examples(self) -> Iterator[str]:
        """Yield texts that hold every word of the prompts and programs."""
        return self.chains.examples()

    def draft(self, source: random.Random, horizon: int, difficulty: float) -> TaskDraft | None:
        """Sample a prompt and the lines of its solution."""
        return self.chains.sketch(source, horizon, difficulty, *self.sample_arguments(source))
