"""Wrong programs on purpose: plausible wrong lines, as imperfect data to learn from and as tests of a labeler."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import cast

import numpy as np

from codegym.tasks.procedural.interpreter import compile_program, passes
from codegym.tasks.record import Task

_MOVED_SHARE = 0.2  # of the wrong lines: left out, or in the wrong order


def inject_bugs(task: Task, rng: np.random.Generator, rate: float = 1.0) -> str:
    """Return a program for a procedural task in which each line is wrong with its own probability.

    A line has the wrong number, operator, variable or function, is missing or comes too late; alone each of these makes
    the program fail. The probabilities are the bug rates of the lines' operations (``task.metadata["bug_rates"]``).

    Args:
        task: Task of a procedural family.
        rng: The only source of randomness.
        rate: Factor of the bug rates; 0 returns the solution.
    """
    lines = _lines(task)
    spoiled = np.flatnonzero(rng.random(len(lines)) < np.multiply(rate, _listed(task, "bug_rates")))
    chances = rng.random((len(spoiled), 3)).tolist()
    written: list[str | None] = [*lines]
    for place, (kind, which, choice) in zip(spoiled.tolist(), chances, strict=True):
        if kind >= _MOVED_SHARE or not _move(task, written, place, which < 0.5):
            wrong = _wrong_lines(task)[place]
            written[place] = wrong[int(choice * len(wrong))]
    return "".join(f"{line}\n" for line in written if line is not None)


def _move(task: Task, written: list[str | None], place: int, away: bool) -> bool:
    """Leave a line out or swap it with the next, if that alone spoils the solution; return whether it was done."""
    lines = _lines(task)
    changed = _without(lines, place) if away else _swapped(lines, place)
    if changed is None or passes(task.checks, compile_program(changed)):
        return False
    if away:
        written[place] = None
    else:
        written[place], written[place + 1] = written[place + 1], written[place]
    return True


def mutants(task: Task, rng: np.random.Generator) -> Iterator[tuple[str, int]]:
    """Yield programs with one wrong line and the number of that line, from 1, in random order; none passes the checks.

    The number of a missing line is that of the line in its place, and of two swapped lines the first's.

    Args:
        task: Task of a procedural family.
        rng: The only source of randomness.
    """
    lines = _lines(task)
    found = [(changed, place) for place in range(1, len(lines)) for changed in _changed(task, lines, place)]
    for index in rng.permutation(len(found)).tolist():
        changed, place = found[index]
        if not passes(task.checks, compile_program(changed)):
            yield "".join(f"{line}\n" for line in changed), place + 1


def _changed(task: Task, lines: list[str], place: int) -> Iterator[list[str]]:
    for wrong in _wrong_lines(task)[place]:
        yield [*lines[:place], wrong, *lines[place + 1 :]]
    yield from (changed for changed in (_without(lines, place), _swapped(lines, place)) if changed)


def _without(lines: list[str], place: int) -> list[str] | None:
    """Return the lines without one, None if Python could not read them or it is the last one."""
    changed = [*lines[:place], *lines[place + 1 :]]
    return changed if place < len(lines) - 1 and compile_program(changed) else None


def _swapped(lines: list[str], place: int) -> list[str] | None:
    """Return the lines with one after its successor, None if they are not neighbours in one block."""
    if place > len(lines) - 3 or _depth(lines[place]) != _depth(lines[place + 1]):
        return None
    changed = [*lines[:place], lines[place + 1], lines[place], *lines[place + 2 :]]
    return changed if compile_program(changed) else None


def _depth(line: str) -> int:
    return len(line) - len(line.lstrip(" "))


def _lines(task: Task) -> list[str]:
    if task.solution is None or "wrong_lines" not in task.metadata:
        raise ValueError(f"task {task.task_id!r} is of no family that knows how its lines go wrong")
    return task.solution.rstrip("\n").split("\n")


def _wrong_lines(task: Task) -> Sequence[Sequence[str]]:
    return cast("Sequence[Sequence[str]]", task.metadata["wrong_lines"])


def _listed(task: Task, name: str) -> Sequence[float]:
    return cast("Sequence[float]", task.metadata[name])


def pass_rate(task: Task, rate: float = 1.0) -> float:
    """Return the probability that ``inject_bugs`` writes a program without a wrong line.

    Args:
        task: Task of a procedural family.
        rate: Factor of the bug rates.
    """
    _lines(task)
    return float(np.prod(_right(_listed(task, "bug_rates"), rate)))


def pass_rates(bug_rates: Sequence[float] | Mapping[str, float], longest: int, rate: float = 1.0) -> list[float]:
    """Return the pass rate for horizons 1 to ``longest``: the mean over all choices of that number of operations.

    Args:
        bug_rates: Bug rates of the operations that tasks are made of, all different in one task.
        longest: Largest horizon, in lines.
        rate: Factor of the bug rates.

    Raises:
        ValueError: There are fewer operations than ``longest``.
    """
    rates = [*bug_rates.values()] if isinstance(bug_rates, Mapping) else [*bug_rates]
    if longest > len(rates):
        raise ValueError(f"{longest} different operations are wanted of {len(rates)}")
    means = np.zeros(longest + 1)  # mean product over all subsets of a size, of the operations so far
    means[0] = 1
    sizes = np.arange(1, longest + 1)
    for seen, right in enumerate(_right(rates, rate), 1):
        share = np.minimum(sizes / seen, 1)  # of the subsets that hold the newest operation
        means[1:] = (1 - share) * means[1:] + share * right * means[:-1]
    return [float(mean) for mean in means[1:]]


def _right(bug_rates: Sequence[float], rate: float) -> Sequence[float]:
    return [max(0.0, 1 - rate * bug_rate) for bug_rate in bug_rates]
