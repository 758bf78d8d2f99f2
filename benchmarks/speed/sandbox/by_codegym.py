"""Contenders: our own judge on both back ends, without its cache."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass

from benchmarks.speed.sandbox.contenders import Pending, Submit
from benchmarks.speed.sandbox.programs import Program
from codegym.judge import Judge, Verdict
from codegym.sandbox import DockerSandbox, Pool, ProcessSandbox
from codegym.tasks import Task
from codegym.tasks.datasets.humaneval import read
from codegym.tasks.datasets.row import Row


@contextmanager
def process(workers: int) -> Iterator[Submit]:
    with _judge(ProcessSandbox(num_workers=workers)) as submit:
        yield submit


@contextmanager
def docker(workers: int) -> Iterator[Submit]:
    with _judge(DockerSandbox(num_workers=workers)) as submit:
        yield submit


@contextmanager
def _judge(sandbox: Pool) -> Iterator[Submit]:
    tasks: dict[int, Task] = {}
    judge = Judge(sandbox, cache_size=0)

    def submit(program: Program) -> Pending:
        if program.number not in tasks:
            tasks[program.number] = read(Row(program.row))
        return _Passed(judge.submit(tasks[program.number], program.completion))

    with sandbox:
        yield submit


@dataclass(frozen=True, slots=True)
class _Passed:
    """Pending verdict, as the harness waits for it."""

    verdict: Future[Verdict]

    def result(self) -> bool:
        return self.verdict.result().passed
