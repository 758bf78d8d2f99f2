"""The judge: submits programs to a sandbox and reads their verdicts.

Compared is, for a ``StdinCheck``, what the program printed, if it ended by itself with exit status 0; for a
``CallCheck`` the value that came back as plain data; an ``AssertCheck`` is decided by the examiner in the sandbox.
The comparison rules are those of each data set's authors, see ``codegym.judge.comparison``.
"""

from __future__ import annotations

import hashlib
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable
from concurrent.futures import FIRST_EXCEPTION, Future, wait
from dataclasses import replace
from typing import TypeVar

from codegym.judge.base import Verdict
from codegym.judge.meaning import count_line_breaks, ran_out_of_wall_time, read_verdict, wants_next_check
from codegym.sandbox.base import AssertJob, CallJob, Execution, Limits, Request, Run, Sandbox, ScriptJob
from codegym.sandbox.box.plain_codec import encode
from codegym.tasks.record import AssertCheck, CallCheck, StdinCheck, Task

T = TypeVar("T")


class Judge:
    r"""Judges completions of tasks in a sandbox. Safe to call from several threads.

    >>> from codegym.sandbox.base import Execution, FakeSandbox, Run, ExitReason
    >>> task = Task("double", "Print twice the number.", (StdinCheck("2", "4"),))
    >>> sandbox = FakeSandbox(lambda request: Execution(runs=(Run(ExitReason.EXITED, stdout=b"4\n"),)))
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
        first_line = count_line_breaks(task.preamble) + 1
        return Request(task.preamble + completion, self._job(task), self.limits, first_line, self.trace_lines)

    def _job(self, task: Task) -> ScriptJob | CallJob | AssertJob:
        checks = task.checks
        if isinstance(checks[0], StdinCheck):
            return ScriptJob(tuple(check.stdin for check in checks if isinstance(check, StdinCheck)))
        if isinstance(checks[0], CallCheck):
            return CallJob(task.entry_point, tuple(check.arguments for check in checks if isinstance(check, CallCheck)))
        sources = tuple(check.source for check in checks if isinstance(check, AssertCheck))
        attributes = bool(task.metadata.get("uses_candidate_types"))
        return AssertJob(task.examiner, sources, task.exports, attributes, self.stop_at_first_failure)

    def _run(self, task: Task, request: Request, alone: bool = False) -> Future[Verdict]:
        verdict = _uncancellable()

        def finish(execution: Execution) -> None:
            if not alone and ran_out_of_wall_time(execution, request.limits):
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
        if not (self.stop_at_first_failure and isinstance(job, ScriptJob)):
            _then(self.sandbox.submit(request, alone=alone), finish, verdict)
            return

        def submit(number: int) -> Future[Execution]:
            return self.sandbox.submit(replace(request, job=ScriptJob((job.stdins[number],))), alone=alone)

        def go_on(sofar: tuple[Run, ...], future: Future[Execution]) -> None:
            while True:
                execution = future.result()
                runs = sofar + execution.runs
                if not wants_next_check(task, execution, runs):
                    finish(replace(execution, runs=runs))
                    return
                sofar, future = runs, submit(len(runs))
                if not future.done():  # a loop, since a sandbox may answer at once, as often as there are checks
                    follow(sofar, future)
                    return

        def follow(sofar: tuple[Run, ...], future: Future[Execution]) -> None:
            future.add_done_callback(_guarded(lambda done: go_on(sofar, done), verdict))

        follow((), submit(0))


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
