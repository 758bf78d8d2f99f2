"""``codegym validate``: check tasks with their gold solutions before anything is learned from them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Annotated

from rich.table import Table

from codegym.cli.common import ProgressBar, output
from codegym.cli.options import INLINE, SandboxOptions, TaskOptions
from codegym.errors import SandboxError
from codegym.evaluation.evaluate import judge_in_order
from codegym.evaluation.metrics import INFRASTRUCTURE_FAILURE
from codegym.judge import Judge, Verdict
from codegym.tasks.record import Task


@dataclass(frozen=True, slots=True)
class Problem:
    """A program with a wrong verdict."""

    task_id: str
    program: str
    status: str
    error: str
    round: int


@dataclass(frozen=True, slots=True)
class _Candidate:
    task: Task
    completion: str
    is_gold: bool


def validate(
    tasks: Annotated[TaskOptions, INLINE], sandbox: Annotated[SandboxOptions, INLINE], repeats: int = 1
) -> int:
    """Check that the gold solution of every task passes and that an empty completion does not.

    Try:
        codegym validate --tasks mbpp --path mbpp.jsonl --repeats 3

    The exit status is 0 if all is well, 1 with a list of the wrong verdicts, and 2 if nothing but the machine failed.

    Args:
        tasks: Tasks to check.
        sandbox: Sandbox in which the programs run.
        repeats: Number of rounds. Each round runs every program again, which shows verdicts that depend on luck or
            load.

    Raises:
        ValueError: An option does not fit the others.
        CodegymError: The tasks cannot be read, or there is no such sandbox here.
    """
    if repeats < 1:
        raise ValueError(f"too few rounds: got --repeats {repeats}; expected at least 1")
    chosen = tasks.load().tasks
    problems: list[Problem] = []
    with sandbox.open_judge(cache_size=0) as judge, ProgressBar() as progress:
        for number in range(1, repeats + 1):
            problems += _one_round(chosen, judge, number, progress)
    _report(chosen, problems, repeats)
    return _exit_status(problems)


def _one_round(tasks: Sequence[Task], judge: Judge, number: int, progress: ProgressBar) -> Iterator[Problem]:
    num_done = 0
    for candidate, verdict in judge_in_order(
        _candidates(tasks), lambda candidate: judge.submit(candidate.task, candidate.completion)
    ):
        num_done += not candidate.is_gold
        progress(f"round {number}", num_done, len(tasks))
        if (problem := find_problem(candidate.task.task_id, candidate.is_gold, verdict, number)) is not None:
            yield problem


def _candidates(tasks: Sequence[Task]) -> Iterator[_Candidate]:
    for task in tasks:
        if task.solution is not None:
            yield _Candidate(task, task.solution, True)
        yield _Candidate(task, "", False)


def find_problem(task_id: str, is_gold: bool, verdict: Verdict | SandboxError, round_number: int) -> Problem | None:
    """Return what is wrong with a verdict, None if the gold solution passed or the empty program did not.

    Args:
        task_id: Id of the task.
        is_gold: Whether the program is the gold solution; else it is the empty program.
        verdict: Verdict of the program, or the failure of the machine.
        round_number: Number of the round, from 1.
    """
    program = "gold solution" if is_gold else "empty program"
    if isinstance(verdict, SandboxError):
        return Problem(task_id, program, INFRASTRUCTURE_FAILURE, str(verdict), round_number)
    if verdict.passed is is_gold:
        return None
    failed = [str(index) for index, status in enumerate(verdict.checks, 1) if status != "passed"]
    error = f"{verdict.error.type}: {verdict.error.message}" if verdict.error else ""
    where = f"check {', '.join(failed[:5])} of {verdict.total_checks}" if failed else ""
    return Problem(task_id, program, verdict.status, " ".join(filter(None, [where, error[:200]])), round_number)


def _report(tasks: Sequence[Task], problems: list[Problem], repeats: int) -> None:
    num_gold = sum(task.solution is not None for task in tasks)
    num_own_types = sum(task.uses_candidate_types for task in tasks)
    if problems:
        table = Table("task", "program", "status", "error", "round", title="Wrong")
        for problem in problems:
            table.add_row(problem.task_id, problem.program, problem.status, problem.error, str(problem.round))
        output.print(table, markup=False)
    failed = {problem.task_id for problem in problems if problem.program == "gold solution"}
    passed = {problem.task_id for problem in problems if problem.program == "empty program"}
    output.print(f"{num_gold - len(failed)} of {num_gold} gold solutions passed in every round (of {repeats})")
    output.print(f"{len(tasks) - len(passed)} of {len(tasks)} tasks refused the empty program")
    output.print(f"{len(tasks) - num_gold} tasks have no gold solution")
    output.print(f"{num_own_types} tasks use the candidate's own types")


def _exit_status(problems: list[Problem]) -> int:
    if any(problem.status != INFRASTRUCTURE_FAILURE for problem in problems):
        return 1
    return 2 if problems else 0
