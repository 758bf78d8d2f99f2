"""Nested programs: statements with blocks under them, each with its phrase in prompts."""

from __future__ import annotations

import random
import re
import string
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from codegym.tasks.procedural.base import Procedural, SolutionLine, TaskDraft
from codegym.tasks.procedural.mutations import mutations

_NAME = re.compile(r"\b[b-z]\b")
_MAX_WRONG = 4
_NUM_EXAMPLES = 40


class Statement(NamedTuple):
    """A line of a program and the block under it."""

    operation: str
    text: str
    phrase: str
    block: tuple[Statement, ...] = ()


def write(source: random.Random, statements: Sequence[Statement], bug_rates: Mapping[str, float]) -> TaskDraft:
    """Return the draft of ``f(a)`` with these statements; mutations of its lines are the wrong lines.

    Args:
        source: The only source of randomness.
        statements: Statements of the function; the last is a ``return``.
        bug_rates: Bug rate of each operation.
    """
    flat = [*_flat(statements, 1)]
    names = sorted({name for statement, _ in flat for name in _NAME.findall(statement.text)})
    lines = [SolutionLine("def f(a):", "def")]
    for statement, depth in flat:
        pad = "    " * depth
        wrong = mutations(statement.text, names)
        wrong = [pad + text for text in source.sample(wrong, min(len(wrong), _MAX_WRONG))]
        rate = bug_rates.get(statement.operation, 0.0)
        lines.append(SolutionLine(pad + statement.text, statement.operation, rate, tuple(wrong)))
    return TaskDraft(f"f(a): {_phrases(statements)}\n", tuple(lines))


def size(statement: Statement) -> int:
    """Return the number of lines of a ``statement`` and its block."""
    return 1 + sum(map(size, statement.block))


def examples_of(family: Procedural) -> Iterator[str]:
    """Yield texts of a ``family`` of nested programs: every character and number, then those of many tasks.

    Its words are too many to be listed in a table; with the characters each of its texts can be written.
    """
    yield from " ".join(string.printable[:94]).split()
    yield " ".join(map(str, range(30)))
    for horizon in range(family.horizons[0], family.horizons[1] + 1):
        for seed in range(_NUM_EXAMPLES):
            sketch = family.draft(random.Random(seed), horizon, seed / _NUM_EXAMPLES)
            if sketch is not None:
                yield sketch.prompt
                yield from (text + "\n" for line in sketch.lines for text in (line.text, *line.wrong))


def _flat(statements: Sequence[Statement], depth: int) -> Iterator[tuple[Statement, int]]:
    for statement in statements:
        yield statement, depth
        yield from _flat(statement.block, depth + 1)


def _phrases(statements: Sequence[Statement]) -> str:
    return "; ".join(
        f"{statement.phrase} ({_phrases(statement.block)})" if statement.block else statement.phrase
        for statement in statements
    )
