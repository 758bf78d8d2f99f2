"""The judge: the only place that says what an execution means.

A program passes where there is a positive record for every check; how its process ended is no such record. What is
compared: for a ``StdinCheck`` what the program printed, provided that it ended by itself with exit status 0; for a
``CallCheck`` the value that came back as plain data; an ``AssertCheck`` is decided by the examiner in the sandbox.
The comparison rules are those of each data set's authors, see ``codegym.comparison``.
"""

from __future__ import annotations

import hashlib
import re
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import FIRST_EXCEPTION, Future, wait
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TypeVar

from codegym.comparison import stdout_agrees, value_agrees
from codegym.errors import SandboxError
from codegym.sandbox.base import (
    Calls,
    Ended,
    Examination,
    Execution,
    Failure,
    Limits,
    Request,
    Run,
    Sandbox,
    Script,
)
from codegym.sandbox.box.plain import encode
from codegym.task import AssertCheck, CallCheck, StdinCheck, Task

T = TypeVar("T")
_LINE_BREAK = re.compile(r"\r\n|\r|\n")


class Status(StrEnum):
    """What became of a program or of one check."""

    PASSED = "passed"
    WRONG_ANSWER = "wrong_answer"
    RUNTIME_ERROR = "runtime_error"
    SYNTAX_ERROR = "syntax_error"
    TIMEOUT = "timeout"
    MEMORY_LIMIT = "memory_limit"
    OUTPUT_LIMIT = "output_limit"
    NOT_RUN = "not_run"
    """Of checks only: the process had ended, or an earlier check used up a limit or was the last one wanted."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the judge decided about one program."""

    status: Status
    """That of the first check that did not pass."""
    checks: tuple[Status, ...]
    """One for each check of the task, in order."""
    error: Failure | None = None
    """The exception behind ``status``; its line is 1-based in the completion, None where it lies outside."""
    cpu_seconds: float = 0.0
    """CPU time of all processes of the program."""
    executed_lines: frozenset[int] | None = None
    """1-based lines of the completion that ran, where the judge was made with ``trace_lines``."""

    @property
    def passed(self) -> bool:
        """Whether every check passed."""
        return self.status is Status.PASSED

    @property
    def passed_checks(self) -> int:
        """How many checks passed."""
        return self.checks.count(Status.PASSED)

    @property
    def total_checks(self) -> int:
        """How many checks the task has."""
        return len(self.checks)


class Judge:
    r"""Judges completions of tasks in a sandbox. Safe to call from several threads.

    >>> from codegym.sandbox.base import Execution, FakeSandbox, Run, Ended
    >>> task = Task("double", "Print twice the number.", (StdinCheck("2", "4"),))
    >>> sandbox = FakeSandbox(lambda request: Execution(runs=(Run(Ended.EXITED, stdout=b"4\n"),)))
    >>> Judge(sandbox)(task, "print(int(input()) * 2)").passed
    True

    Checks go on after one has failed, except after a limit was hit: what follows is ``NOT_RUN`` then. A program
    that ran out of wall time without using up its CPU time is run once more, alone, before that counts. The same
    program with the same checks and limits runs once while its verdict is among the last ``cache_size``.

    Args:
        sandbox: where programs run; the judge does not close it.
        limits: of each process of a program.
        stop_at_first_failure: leave out the checks after the first that fails.
        trace_lines: report which lines ran (slower).
        cache_size: verdicts that are remembered; 0 turns this off.
    """

    def __init__(
        self,
        sandbox: Sandbox,
        limits: Limits = Limits(),  # noqa: B008 - a frozen record
        *,
        stop_at_first_failure: bool = False,
        trace_lines: bool = False,
        cache_size: int = 4096,
    ) -> None:
        self.sandbox = sandbox
        self.limits = limits
        self.stop_at_first_failure = stop_at_first_failure
        self.trace_lines = trace_lines
        self.cache_size = cache_size
        self._verdicts: OrderedDict[object, Future[Verdict]] = OrderedDict()
        self._lock = threading.Lock()

    def __call__(self, task: Task, completion: str) -> Verdict:
        """Judge one completion and wait for the verdict.

        Raises:
            SandboxError: the machine failed; this says nothing about the program.
        """
        return self.submit(task, completion).result()

    def judge_all(self, pairs: Iterable[tuple[Task, str]]) -> list[Verdict]:
        """Judge many completions at once; the verdicts come in the order of the pairs.

        Raises:
            SandboxError: as soon as one of them is asked for whose machine failed.
        """
        futures = [self.submit(task, completion) for task, completion in pairs]
        wait(futures, return_when=FIRST_EXCEPTION)  # once: to be woken for each takes time from the workers
        return [future.result() for future in futures]

    def submit(self, task: Task, completion: str) -> Future[Verdict]:
        """Start judging; the future holds a verdict or a ``SandboxError``."""
        request = self._request(task, completion)
        if not self.cache_size:
            return self._run(task, request)
        key = _digest(task, request)
        with self._lock:
            if (known := self._verdicts.get(key)) is not None:
                self._verdicts.move_to_end(key)
                return known
            future = _uncancellable()
            self._verdicts[key] = future
            if len(self._verdicts) > self.cache_size:
                self._verdicts.popitem(last=False)
        try:
            running = self._run(task, request)
        except Exception as error:  # the sandbox does not take it; others may wait for the same already
            self._forget(key)
            future.set_exception(error)
            raise
        _chain(running, future, lambda: self._forget(key))
        return future

    def _forget(self, key: object) -> None:
        """A failure of the machine is no verdict: the next time the program runs again."""
        with self._lock:
            self._verdicts.pop(key, None)

    def _request(self, task: Task, completion: str) -> Request:
        first_line = len(_LINE_BREAK.findall(task.preamble)) + 1
        return Request(task.preamble + completion, self._job(task), self.limits, first_line, self.trace_lines)

    def _job(self, task: Task) -> Script | Calls | Examination:
        checks = task.checks
        if isinstance(checks[0], StdinCheck):
            return Script(tuple(check.stdin for check in checks if isinstance(check, StdinCheck)))
        if isinstance(checks[0], CallCheck):
            return Calls(task.entry_point, tuple(check.arguments for check in checks if isinstance(check, CallCheck)))
        sources = tuple(check.source for check in checks if isinstance(check, AssertCheck))
        attributes = bool(task.metadata.get("uses_candidate_types"))
        return Examination(task.examiner, sources, task.exports, attributes, self.stop_at_first_failure)

    def _run(self, task: Task, request: Request, alone: bool = False) -> Future[Verdict]:
        verdict = _uncancellable()

        def finish(execution: Execution) -> None:
            if not alone and _ran_out_of_wall_time(execution, request.limits):
                _chain(self._run(task, request, alone=True), verdict)
            else:
                verdict.set_result(read_verdict(task, request, execution, self.stop_at_first_failure))

        self._execute(task, request, alone, _guarded(finish, verdict), verdict)
        return verdict

    def _execute(
        self, task: Task, request: Request, alone: bool, finish: Callable[[Execution], None], verdict: Future[Verdict]
    ) -> None:
        """Have the sandbox run it; a script that stops at its first failure goes one check at a time."""
        job = request.job
        if not (self.stop_at_first_failure and isinstance(job, Script)):
            _then(self.sandbox.submit(request, alone=alone), finish, verdict)
            return

        def submit(number: int) -> Future[Execution]:
            return self.sandbox.submit(replace(request, job=Script((job.stdins[number],))), alone=alone)

        def go_on(sofar: tuple[Run, ...], future: Future[Execution]) -> None:
            while True:
                execution = future.result()
                runs = sofar + execution.runs
                if not _goes_on(task, execution, runs):
                    finish(replace(execution, runs=runs))
                    return
                sofar, future = runs, submit(len(runs))
                if not future.done():  # a loop, since a sandbox may answer at once, as often as there are checks
                    follow(sofar, future)
                    return

        def follow(sofar: tuple[Run, ...], future: Future[Execution]) -> None:
            future.add_done_callback(_guarded(lambda done: go_on(sofar, done), verdict))

        follow((), submit(0))


def _goes_on(task: Task, execution: Execution, runs: tuple[Run, ...]) -> bool:
    """Whether the next check of a script is wanted: there is one, and the last one passed."""
    if execution.syntax_error is not None or not execution.runs or len(runs) >= len(task.checks):
        return False
    return _script_status(task, task.checks[len(runs) - 1], runs[-1]) is Status.PASSED


def read_verdict(task: Task, request: Request, execution: Execution, stop_at_first_failure: bool = False) -> Verdict:
    """The meaning of an execution: pure, so that it can be tested with records made by hand.

    Raises:
        SandboxError: the execution says nothing.
    """
    if execution.syntax_error is not None:
        checks = (Status.SYNTAX_ERROR,) * len(task.checks)
        return Verdict(Status.SYNTAX_ERROR, checks, _in_completion(execution.syntax_error, request))
    if not execution.runs:
        raise SandboxError("the sandbox tells of no run of the program and of no syntax error either")
    if isinstance(request.job, Script):
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


_ENDED = {Ended.TIMEOUT: Status.TIMEOUT, Ended.MEMORY: Status.MEMORY_LIMIT, Ended.OUTPUT: Status.OUTPUT_LIMIT}


def _script_statuses(task: Task, runs: Sequence[Run]) -> list[Status]:
    return [_script_status(task, check, run) for check, run in zip(task.checks, runs, strict=False)]


def _script_status(task: Task, check: object, run: Run) -> Status:
    assert isinstance(check, StdinCheck)
    if run.ended in _ENDED:
        return _ENDED[run.ended]
    if run.ended is Ended.CRASHED or run.exit_code != 0:
        return _error_status(run.error)
    printed = run.stdout.decode("utf-8", errors="replace")
    return Status.PASSED if stdout_agrees(task.comparison, printed, check.stdout) else Status.WRONG_ANSWER


def _error_status(error: Failure | None) -> Status:
    return Status.MEMORY_LIMIT if error is not None and error.type == "MemoryError" else Status.RUNTIME_ERROR


def _outcome_statuses(task: Task, execution: Execution) -> tuple[list[Status], list[Failure | None]]:
    """Statuses and errors of calls or of an examination, which share one process."""
    run = execution.runs[0]
    if run.error is not None and not any(execution.outcomes):  # the module itself failed
        return [_error_status(run.error)] * len(task.checks), [run.error]
    statuses: list[Status] = []
    errors: list[Failure | None] = []
    for check, outcome in zip(task.checks, (*execution.outcomes, None), strict=False):  # none at all where it hung
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
            agrees = value_agrees(task.comparison, outcome.value, check.expected)
            statuses.append(Status.PASSED if agrees else Status.WRONG_ANSWER)
        else:
            statuses.append(Status.PASSED if outcome.value is True else Status.WRONG_ANSWER)
    return statuses, errors


def _in_completion(error: Failure, request: Request) -> Failure:
    """The failure with its line counted in the completion; a line past its end is its last one."""
    if error.line is None:
        return error
    num_lines = len(_LINE_BREAK.findall(request.source.rstrip("\r\n"))) + 1
    line = min(error.line, max(num_lines, request.first_line)) - request.first_line + 1
    return replace(error, line=line if line > 0 else None)


def _executed_lines(runs: Sequence[Run], request: Request) -> frozenset[int] | None:
    traced = [run.executed_lines for run in runs if run.executed_lines is not None]
    if not traced:
        return None
    return frozenset(line - request.first_line + 1 for line in frozenset().union(*traced) if line >= request.first_line)


def _ran_out_of_wall_time(execution: Execution, limits: Limits) -> bool:
    return any(run.ended is Ended.TIMEOUT and run.cpu_seconds < limits.cpu_seconds for run in execution.runs)


def _digest(task: Task, request: Request) -> bytes:
    """What a verdict depends on, in few bytes: the requests themselves may be megabytes."""
    expected = [getattr(check, "expected", getattr(check, "stdout", None)) for check in task.checks]
    fields = [getattr(record, name) for record in (request.job, request.limits) for name in record.__slots__]
    parts = [request.source, request.first_line, type(request.job).__name__, fields, expected, task.comparison]
    return hashlib.blake2b(encode(parts), digest_size=16).digest()


def _uncancellable() -> Future[Verdict]:
    """A future that one of those who wait for it cannot cancel for the others."""
    future: Future[Verdict] = Future()
    future.set_running_or_notify_cancel()
    return future


def _guarded(action: Callable[[T], None], verdict: Future[Verdict]) -> Callable[[T], None]:
    """Whatever fails while a verdict is read belongs on its future, not into the worker that calls back."""

    def guarded(argument: T) -> None:
        try:
            action(argument)
        except Exception as error:
            verdict.set_exception(error)

    return guarded


def _then(future: Future[Execution], action: Callable[[Execution], None], verdict: Future[Verdict]) -> None:
    def done(finished: Future[Execution]) -> None:
        if (error := finished.exception()) is not None:
            verdict.set_exception(error)
        else:
            action(finished.result())

    future.add_done_callback(done)


def _chain(source: Future[Verdict], target: Future[Verdict], on_error: Callable[[], None] = lambda: None) -> None:
    """Give ``target`` what ``source`` gets."""

    def done(finished: Future[Verdict]) -> None:
        if (error := finished.exception()) is not None:
            on_error()
            target.set_exception(error)
        else:
            target.set_result(finished.result())

    source.add_done_callback(done)
