"""Meaning of an execution: pure functions from the record of a sandbox to a verdict.

A program passes only with a positive record for every check; the exit status of its process is no such record.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from codegym.errors import SandboxError
from codegym.judge.base import Status, Verdict
from codegym.judge.comparison import stdout_matches, value_matches
from codegym.sandbox.base import Execution, ExitReason, Failure, Limits, Request, Run, ScriptJob
from codegym.tasks.record import CallCheck, StdinCheck, Task

_LINE_BREAK = re.compile(r"\r\n|\r|\n")


def count_line_breaks(text: str) -> int:
    """Return the number of line breaks in ``text`` as Python's tokenizer counts them."""
    return len(_LINE_BREAK.findall(text))


def wants_next_check(task: Task, execution: Execution, runs: tuple[Run, ...]) -> bool:
    """Return whether to run the next check of a script: there is one, and the last one passed.

    Args:
        task: Task with stdin checks.
        execution: Execution of the last check.
        runs: Runs of all checks so far.
    """
    if execution.syntax_error is not None or not execution.runs or len(runs) >= len(task.checks):
        return False
    return _script_status(task, task.checks[len(runs) - 1], runs[-1]) is Status.PASSED


def read_verdict(task: Task, request: Request, execution: Execution, stop_at_first_failure: bool = False) -> Verdict:
    """Return the verdict that an execution means; a pure function.

    Args:
        task: Task with the checks.
        request: Request that was executed.
        execution: Record of the sandbox.
        stop_at_first_failure: Whether the checks after the first failure count as ``NOT_RUN``.

    Raises:
        SandboxError: The execution holds neither a run nor a syntax error.
    """
    if execution.syntax_error is not None:
        checks = (Status.SYNTAX_ERROR,) * len(task.checks)
        return Verdict(Status.SYNTAX_ERROR, checks, _in_completion(execution.syntax_error, request))
    if not execution.runs:
        raise SandboxError("empty execution: got neither a run of the program nor a syntax error; expected one of them")
    if isinstance(request.job, ScriptJob):
        statuses = _script_statuses(task, execution.runs)
        errors = [run.error for run in execution.runs]
    else:
        statuses, errors = _outcome_statuses(task, execution)
    statuses += [Status.NOT_RUN] * (len(task.checks) - len(statuses))
    failed = next((index for index, status in enumerate(statuses) if status is not Status.PASSED), None)
    if failed is not None and stop_at_first_failure:
        statuses[failed + 1 :] = [Status.NOT_RUN] * (len(statuses) - failed - 1)
    error = errors[failed] if failed is not None and failed < len(errors) else None
    return Verdict(
        Status.PASSED if failed is None else statuses[failed],
        tuple(statuses),
        None if error is None else _in_completion(error, request),
        sum(run.cpu_seconds for run in execution.runs),
        _executed_lines(execution.runs, request),
    )


_ENDED = {
    ExitReason.TIMEOUT: Status.TIMEOUT,
    ExitReason.MEMORY: Status.MEMORY_LIMIT,
    ExitReason.OUTPUT: Status.OUTPUT_LIMIT,
}


def _script_statuses(task: Task, runs: Sequence[Run]) -> list[Status]:
    return [_script_status(task, check, run) for check, run in zip(task.checks, runs, strict=False)]


def _script_status(task: Task, check: object, run: Run) -> Status:
    assert isinstance(check, StdinCheck)
    if run.ended in _ENDED:
        return _ENDED[run.ended]
    if run.ended is ExitReason.CRASHED or run.exit_code != 0:
        return _error_status(run.error)
    printed = run.stdout.decode("utf-8", errors="replace")
    return Status.PASSED if stdout_matches(task.comparison, printed, check.stdout) else Status.WRONG_ANSWER


def _error_status(error: Failure | None) -> Status:
    return Status.MEMORY_LIMIT if error is not None and error.type == "MemoryError" else Status.RUNTIME_ERROR


def _outcome_statuses(task: Task, execution: Execution) -> tuple[list[Status], list[Failure | None]]:
    """Return statuses and errors of calls or asserts, which share one process."""
    run = execution.runs[0]
    if run.error is not None and not any(execution.outcomes):  # the module itself failed
        return [_error_status(run.error)] * len(task.checks), [run.error]
    statuses: list[Status] = []
    errors: list[Failure | None] = []
    for check, outcome in zip(task.checks, (*execution.outcomes, None), strict=False):  # none if it hung
        if outcome is None:
            statuses.append(_ENDED.get(run.ended, Status.RUNTIME_ERROR))
            errors.append(
                run.error or Failure("ProcessEnded", f"the process ended before its answer ({run.exit_code})")
            )
            break
        errors.append(outcome.error)
        if outcome.error is not None and outcome.value is not False:
            statuses.append(_error_status(outcome.error))
        elif isinstance(check, CallCheck):
            agrees = value_matches(task.comparison, outcome.value, check.expected)
            statuses.append(Status.PASSED if agrees else Status.WRONG_ANSWER)
        else:
            statuses.append(Status.PASSED if outcome.value is True else Status.WRONG_ANSWER)
    return statuses, errors


def _in_completion(error: Failure, request: Request) -> Failure:
    """Return the failure with its line counted in the completion; a line past the end counts as the last one."""
    if error.line is None:
        return error
    num_lines = count_line_breaks(request.source.rstrip("\r\n")) + 1
    line = min(error.line, max(num_lines, request.first_line)) - request.first_line + 1
    return replace(error, line=line if line > 0 else None)


def _executed_lines(runs: Sequence[Run], request: Request) -> frozenset[int] | None:
    traced = [run.executed_lines for run in runs if run.executed_lines is not None]
    if not traced:
        return None
    return frozenset(line - request.first_line + 1 for line in frozenset().union(*traced) if line >= request.first_line)


def ran_out_of_wall_time(execution: Execution, limits: Limits) -> bool:
    """Return whether a run hit the wall-clock limit before its CPU limit.

    Args:
        execution: Record of the sandbox.
        limits: Limits of each process.
    """
    return any(run.ended is ExitReason.TIMEOUT and run.cpu_seconds < limits.cpu_seconds for run in execution.runs)
