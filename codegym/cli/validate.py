"""``codegym validate``: every task must prove itself before anything is learned from it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass

from rich.progress import Progress
from rich.table import Table

from codegym.cli.common import Box, Tasks, output, progress_bar
from codegym.errors import SandboxError
from codegym.evaluation.evaluate import judge_in_order
from codegym.evaluation.metrics import INFRASTRUCTURE_FAILURE
from codegym.judge import Judge, Verdict
from codegym.tasks.datasets import TaskSet
from codegym.tasks.record import Task


@dataclass(frozen=True, slots=True)
class Problem:
    """A program that did not get the verdict it must get."""

    task_id: str
    program: str
    status: str
    error: str
    round: int


@dataclass(frozen=True, slots=True)
class _Trial:
    task: Task
    completion: str
    is_gold: bool


def validate(tasks: Tasks, box: Box, repeats: int = 1) -> int:
    """Check that the gold solution of every task passes and that an empty completion does not.

    Try:
        codegym validate --dataset mbpp --path mbpp.jsonl --repeats 3

    Exit status 1 and a list of what went wrong otherwise; 2 where nothing but the machine failed.

    Args:
        tasks: which tasks.
        box: which sandbox.
        repeats: rounds; each runs every program again, so that a verdict that depends on luck or load shows.
    """
    if repeats < 1:
        raise ValueError(f"--repeats must be at least 1, got {repeats}")
    task_set = tasks.load()
    problems: list[Problem] = []
    with closing(box.open()) as sandbox, progress_bar() as progress:
        judge = Judge(sandbox, box.limits, cache_size=0)
        for round_number in range(1, repeats + 1):
            problems += _one_round(task_set, judge, round_number, progress)
    _report(task_set, problems, repeats)
    return _exit_status(problems)


def _one_round(task_set: TaskSet, judge: Judge, number: int, progress: Progress) -> Iterator[Problem]:
    bar = progress.add_task(f"round {number}", total=len(task_set))
    for trial, verdict in judge_in_order(_trials(task_set), lambda trial: judge.submit(trial.task, trial.completion)):
        progress.advance(bar, 0 if trial.is_gold else 1)
        if (problem := find_problem(trial.task.task_id, trial.is_gold, verdict, number)) is not None:
            yield problem


def _trials(task_set: TaskSet) -> Iterator[_Trial]:
    for task in task_set:
        if task.solution is not None:
            yield _Trial(task, task.solution, True)
        yield _Trial(task, "", False)


def find_problem(task_id: str, is_gold: bool, verdict: Verdict | SandboxError, round_number: int) -> Problem | None:
    """None where the gold solution passed or the empty program did not."""
    program = "gold solution" if is_gold else "empty program"
    if isinstance(verdict, SandboxError):
        return Problem(task_id, program, INFRASTRUCTURE_FAILURE, str(verdict), round_number)
    if verdict.passed is is_gold:
        return None
    failed = [str(index) for index, status in enumerate(verdict.checks, 1) if status != "passed"]
    error = f"{verdict.error.type}: {verdict.error.message}" if verdict.error else ""
    where = f"check {', '.join(failed[:5])} of {verdict.total_checks}" if failed else ""
    return Problem(task_id, program, verdict.status, " ".join(filter(None, [where, error[:200]])), round_number)


def _report(task_set: TaskSet, problems: list[Problem], repeats: int) -> None:
    num_gold = sum(task.solution is not None for task in task_set)
    num_own_types = sum(task.uses_candidate_types for task in task_set)
    if problems:
        table = Table("task", "program", "status", "error", "round", title="Wrong")
        for problem in problems:
            table.add_row(problem.task_id, problem.program, problem.status, problem.error, str(problem.round))
        output.print(table, markup=False)
    failed = {problem.task_id for problem in problems if problem.program == "gold solution"}
    passed = {problem.task_id for problem in problems if problem.program == "empty program"}
    output.print(f"{num_gold - len(failed)} of {num_gold} gold solutions passed in every round (of {repeats})")
    output.print(f"{len(task_set) - len(passed)} of {len(task_set)} tasks refused the empty program")
    output.print(f"{len(task_set) - num_gold} tasks have no gold solution")
    output.print(f"{num_own_types} tasks use the candidate's own types")


def _exit_status(problems: list[Problem]) -> int:
    if any(problem.status != INFRASTRUCTURE_FAILURE for problem in problems):
        return 1
    return 2 if problems else 0
