"""A small family of tasks: a function of one number, described step by step."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from codegym.tasks.record import CallCheck, Task

_STEPS = {"+": "add {}", "-": "subtract {}", "*": "multiply by {}"}
_PART = re.compile(r"([-+*])([1-9])")
_ARGUMENTS = (-7, -1, 0, 1, 2, 10)


@dataclass(frozen=True)
class Arithmetic:
    r"""Tasks such as "Write f(x): multiply by 3, then add 2. Return the result.", one line of code a step.

    >>> Arithmetic().by_id("arithmetic:*3+2").prompt
    'Write f(x): multiply by 3, then add 2. Return the result.\n'

    Args:
        max_steps: a task has 1 to ``max_steps`` steps.
    """

    max_steps: int = 3

    def __post_init__(self) -> None:
        if self.max_steps < 1:
            raise ValueError(f"max_steps must be at least 1, got {self.max_steps}")

    def draw(self, rng: np.random.Generator) -> Task:
        """Draw a task."""
        count = int(rng.integers(1, self.max_steps, endpoint=True))
        parts = [f"{'+-*'[rng.integers(3)]}{rng.integers(1, 10)}" for _ in range(count)]
        return self.by_id("arithmetic:" + "".join(parts))

    def by_id(self, task_id: object) -> Task:
        """Give the task of that id, such as "arithmetic:*3+2"; ``KeyError`` where it is not one."""
        family, _, steps = str(task_id).partition(":")
        parts = tuple(_PART.findall(steps))
        if family != "arithmetic" or not parts or "".join(map("".join, parts)) != steps:
            raise KeyError(f'no task {task_id!r}: ids of this family look like "arithmetic:*3+2"')
        return _task(parts)


_Parts = tuple[tuple[str, str], ...]


@lru_cache(maxsize=4096)
def _task(parts: _Parts) -> Task:
    said = ", then ".join(_STEPS[sign].format(number) for sign, number in parts)
    body = "".join(f"    x = x {sign} {number}\n" for sign, number in parts)
    return Task(
        "arithmetic:" + "".join(map("".join, parts)),
        f"Write f(x): {said}. Return the result.\n",
        tuple(CallCheck((x,), _value(parts, x)) for x in _ARGUMENTS),
        entry_point="f",
        solution=f"def f(x):\n{body}    return x\n",
    )


def _value(parts: _Parts, x: int) -> int:
    for sign, number in parts:
        step = int(number)
        x = x + step if sign == "+" else x - step if sign == "-" else x * step
    return x
