"""Contender: evalplus's ``untrusted_check`` in a pool of processes, as its ``evaluate`` uses it with ``base_only``.

It takes inputs and expected values instead of tests. They are recorded: the gold solution runs under the tests of its
row once, when the pool starts, and each of its calls gives one pair.
"""

from __future__ import annotations

import copy
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field

from evalplus.eval import PASS, untrusted_check

from benchmarks.speed.sandbox.programs import Program

ATOL = 1e-4  # what HumanEval itself asks of its floats


@dataclass(frozen=True, slots=True)
class Tests:
    """Task in the form of evalplus."""

    inputs: list[tuple[object, ...]] = field(default_factory=list)
    expected: list[object] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)


@contextmanager
def evalplus(workers: int) -> Iterator[Callable[[Program], Future[bool]]]:
    known: dict[int, Tests] = {}

    def submit(program: Program) -> Future[bool]:
        if program.number not in known:
            known[program.number] = record(program)
        row = program.row
        return pool.submit(check, row["prompt"] + program.completion, row["entry_point"], known[program.number])

    with ProcessPoolExecutor(workers) as pool:
        yield submit


def record(program: Program) -> Tests:
    """Run a gold program under its tests and return every call from outside.

    Args:
        program: Gold program with its tests.
    """
    tests, space = Tests(), dict[str, object]()
    exec(program.row["prompt"] + program.completion, space)
    function = space[program.row["entry_point"]]
    assert callable(function)

    def recorder(*arguments: object) -> object:
        tests.inputs.append(copy.deepcopy(arguments))
        started = time.perf_counter()
        value = function(*arguments)
        tests.seconds.append(time.perf_counter() - started)
        tests.expected.append(copy.deepcopy(value))
        return value

    exec(program.row["test"], space)
    run_tests = space["check"]
    assert callable(run_tests)
    run_tests(recorder)
    return tests


def check(source: str, entry_point: str, tests: Tests) -> bool:
    arguments = (tests.inputs, entry_point, tests.expected, ATOL, tests.seconds)
    return bool(untrusted_check("humaneval", source, *arguments, fast_check=True)[0] == PASS)
