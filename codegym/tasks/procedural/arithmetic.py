"""A small family of tasks: a function of one number, described step by step."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import ClassVar

import numpy as np

from codegym.tasks.procedural.base import Procedural
from codegym.tasks.procedural.mutations import mutations
from codegym.tasks.record import CallCheck, Task

_STEPS = {"+": "add {}", "-": "subtract {}", "*": "multiply by {}"}
_PART = re.compile(r"([-+*])([1-9])")
_ARGUMENTS = (-7, -1, 0, 1, 2, 10)
_BUG_RATE = 0.25

_Parts = tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Arithmetic(Procedural):
    r"""Tasks such as "Write f(x): multiply by 3, then add 2. Return the result.", one line of code a step.

    An id spells its task, so every task has an id that one can write by hand:

    >>> Arithmetic().by_id("arithmetic:*3+2").prompt
    'Write f(x): multiply by 3, then add 2. Return the result.\n'

    The family is for first steps and for tests. Both splits hold the same tasks, so take another family to measure how
    a policy generalises.

    Raises:
        ValueError: A knob is out of range; ``difficulty`` is always 0.
    """

    name: ClassVar[str] = "arithmetic"
    horizons: ClassVar[tuple[int, int]] = (1, 100)
    horizon: int | tuple[int, int] = (1, 3)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.difficulty:
            raise ValueError(f"difficulty of arithmetic: got {self.difficulty}; expected 0, as all its tasks are alike")

    def draw(self, rng: np.random.Generator) -> Task:
        """Draw a task; each horizon is as likely as the others."""
        low, high = self.span
        count = int(rng.integers(low, high, endpoint=True))
        parts = [f"{'+-*'[rng.integers(3)]}{rng.integers(1, 10)}" for _ in range(count)]
        return self.by_id("arithmetic:" + "".join(parts))

    def by_id(self, task_id: object) -> Task:
        """Return the task of an id such as "arithmetic:*3+2", of any length.

        Raises:
            KeyError: The id has another form.
        """
        family, _, steps = str(task_id).partition(":")
        parts = tuple(_PART.findall(steps))
        if family != self.name or not parts or "".join(map("".join, parts)) != steps:
            raise KeyError(f'no task {task_id!r}: ids of this family look like "arithmetic:*3+2"')
        return _make_task(parts)

    def examples(self) -> Iterator[str]:
        """Yield texts that hold every word of the prompts and programs."""
        parts = tuple((sign, str(number)) for sign in _STEPS for number in range(1, 10))
        yield _prompt(parts)
        for line in ("def f(x):", "    return x", *map(_line, parts)):
            yield from (text + "\n" for text in (line, *mutations(line, ("x",))))


def _prompt(parts: _Parts) -> str:
    steps = ", then ".join(_STEPS[sign].format(number) for sign, number in parts)
    return f"Write f(x): {steps}. Return the result.\n"


def _line(part: tuple[str, str]) -> str:
    sign, number = part
    return f"    x = x {sign} {number}"


@lru_cache(maxsize=4096)
def _make_task(parts: _Parts) -> Task:
    lines = [_line(part) for part in parts]
    metadata = {
        "family": "arithmetic",
        "horizon": len(parts),
        "operations": ["def", *(sign for sign, _ in parts), "return"],
        "bug_rates": [0.0, *[_BUG_RATE] * len(parts), 0.0],
        "wrong_lines": [[], *(mutations(line, ("x",)) for line in lines), []],
        "constructs": [],
    }
    return Task(
        "arithmetic:" + "".join(map("".join, parts)),
        _prompt(parts),
        tuple(CallCheck((x,), _value(parts, x)) for x in _ARGUMENTS),
        entry_point="f",
        solution="\n".join(["def f(x):", *lines, "    return x\n"]),
        metadata=metadata,
    )


def _value(parts: _Parts, x: int) -> int:
    for sign, number in parts:
        step = int(number)
        x = x + step if sign == "+" else x - step if sign == "-" else x * step
    return x
