"""The families, tasks drawn from them, and Python itself as the judge of their programs."""

from __future__ import annotations

import copy
from collections.abc import Callable
from functools import cache

import numpy as np
import pytest

from codegym import Task
from codegym.tasks.procedural import FAMILIES, Procedural, interpreter

NAMES = [name for name in FAMILIES if name != "arithmetic"]


@cache
def drawn(name: str) -> tuple[Task, ...]:
    family, rng = FAMILIES[name](), np.random.default_rng(7)
    return tuple(family.draw(rng) for _ in range(12))


@pytest.fixture(params=NAMES)
def family(request: pytest.FixtureRequest) -> Procedural:
    return FAMILIES[request.param]()


@pytest.fixture
def tasks(family: Procedural) -> tuple[Task, ...]:
    return drawn(family.name)


def python_passes(task: Task, program: str) -> bool:
    """Run a program of a family without any guard; with its guards where it might run for ever."""
    if "while" in program:
        return interpreter.passes(task.checks, interpreter.compile_program(program.splitlines()))
    names: dict[str, Callable[..., object]] = {}
    try:
        exec(program, names)
        return all(names["f"](*copy.deepcopy(check.arguments)) == check.expected for check in task.checks)
    except Exception:
        return False


@pytest.fixture
def passes() -> Callable[[Task, str], bool]:
    return python_passes
