"""Judge that submits programs to a sandbox and reads their verdicts.

For a ``StdinCheck``, the judge compares the printed text, if the program exited with status 0; for a ``CallCheck``, the
returned value as plain data; an ``AssertCheck`` is decided by the examiner in the sandbox. The comparison rules are
those of each data set's authors, see ``codegym.judge.comparison``.
"""

from __future__ import annotations

import hashlib
import threading
from collections import OrderedDict
from collections.abc import Iterable
from concurrent.futures import FIRST_EXCEPTION, Future, wait
from dataclasses import replace
from functools import partial

from codegym.judge.base import Verdict
from codegym.judge.futures import Steps, new_future, run_steps
from codegym.judge.meaning import count_line_breaks, ran_out_of_wall_time, read_verdict, wants_next_check
from codegym.sandbox.base import AssertJob, CallJob, Execution, Limits, Request, Run, Sandbox, ScriptJob
from codegym.sandbox.box.plain_codec import encode
from codegym.tasks.record import AssertCheck, CallCheck, StdinCheck, Task


class Judge:
    r"""Judges completions of tasks in a sandbox. Safe to call from several threads.

    >>> from codegym.sandbox.base import Execution, FakeSandbox, Run, ExitReason
    >>> task = Task("double", "Print twice the number.", (StdinCheck("2", "4"),))
    >>> sandbox = FakeSandbox(lambda request: Execution(runs=(Run(ExitReason.EXITED, stdout=b"4\n"),)))
    >>> Judge(sandbox)(task, "print(int(input()) * 2)").passed
    True

    A failed check does not stop the others, but a limit does: the checks after it are ``NOT_RUN``. A program that ran
    out of wall time without using up its CPU time runs once more, with the sandbox to itself, before that counts. The
    same program with the same checks and limits runs once while its verdict is among the last ``cache_size``.

    Args:
        sandbox: Sandbox that runs the programs; the judge does not close it.
        limits: Limits of each process of a program.
        stop_at_first_failure: Leave out the checks after the first that fails.
        trace_lines: Report the executed lines (slower).
        cache_size: Number of verdicts that are remembered; 0 turns the cache off.
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
        self._verdicts: OrderedDict[bytes | None, Future[Verdict]] = OrderedDict()
        self._lock = threading.Lock()

    def __call__(self, task: Task, completion: str) -> Verdict:
        """Judge one completion and wait for the verdict.

        Args:
            task: Task with the checks.
            completion: Program without the task's preamble.

        Raises:
            SandboxError: The machine failed, which means nothing about the program.
        """
        return self.submit(task, completion).result()

    def judge_all(self, pairs: Iterable[tuple[Task, str]]) -> list[Verdict]:
        """Judge many completions at once; return the verdicts in the order of ``pairs``.

        Raises:
            SandboxError: The machine failed for one of them.
        """
        futures = [self.submit(task, completion) for task, completion in pairs]
        wait(futures, return_when=FIRST_EXCEPTION)  # once: waking up for each future would take time from the workers
        return [future.result() for future in futures]

    def submit(self, task: Task, completion: str) -> Future[Verdict]:
        """Start judging; the future holds a verdict or a ``SandboxError``.

        Args:
            task: Task with the checks.
            completion: Program without the task's preamble.

        Raises:
            ValueError: The sandbox refuses these limits.
        """
        request = self._request(task, completion)
        key = _digest(task, request) if self.cache_size else None
        with self._lock:
            if (known := self._verdicts.get(key)) is not None:
                self._verdicts.move_to_end(key)
                return known
            verdict: Future[Verdict] = new_future()
            self._remember(key, verdict)
        forget = partial(self._forget, key)
        steps = self._judge(task, request)
        try:
            first = next(steps)
        except Exception as error:  # other callers may already wait for this future
            forget()
            verdict.set_exception(error)
            raise
        run_steps(steps, first, verdict, on_error=forget)
        return verdict

    def _remember(self, key: bytes | None, verdict: Future[Verdict]) -> None:
        if key is not None:
            self._verdicts[key] = verdict
            if len(self._verdicts) > self.cache_size:
                self._verdicts.popitem(last=False)

    def _forget(self, key: bytes | None) -> None:
        """Drop a failure of the machine, which is no verdict, so that the program runs again the next time."""
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
        return AssertJob(task.examiner, sources, task.exports, task.uses_candidate_types, self.stop_at_first_failure)

    def _judge(self, task: Task, request: Request) -> Steps[Verdict]:
        """Run the program, once more with the sandbox to itself if it ran out of wall time, and read the verdict."""
        execution = yield from self._execute(task, request)
        if ran_out_of_wall_time(execution, request.limits):
            execution = yield from self._execute(task, request, exclusive=True)
        return read_verdict(task, request, execution, self.stop_at_first_failure)

    def _execute(self, task: Task, request: Request, exclusive: bool = False) -> Steps[Execution]:
        """Have the sandbox run the program; a script that stops at its first failure runs one check at a time."""
        if not (self.stop_at_first_failure and isinstance(request.job, ScriptJob)):
            return (yield self.sandbox.submit(request, exclusive=exclusive))
        execution, runs = Execution(), tuple[Run, ...]()
        for stdin in request.job.stdins:
            one_check = replace(request, job=ScriptJob((stdin,)))
            execution = yield self.sandbox.submit(one_check, exclusive=exclusive)
            runs += execution.runs
            if not wants_next_check(task, execution, runs):
                break
        return replace(execution, runs=runs)


def _digest(task: Task, request: Request) -> bytes:
    """Return a digest of everything that a verdict depends on; the requests themselves may be megabytes."""
    expected = [getattr(check, "expected", getattr(check, "stdout", None)) for check in task.checks]
    fields = [getattr(record, name) for record in (request.job, request.limits) for name in record.__slots__]
    parts = [request.source, request.first_line, type(request.job).__name__, fields, expected, task.comparison]
    return hashlib.blake2b(encode(parts), digest_size=16).digest()
