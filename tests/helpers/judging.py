"""Tasks, executions and sandboxes for tests of the judge."""

from __future__ import annotations

from concurrent.futures import Future

from codegym.judge import Judge, Status
from codegym.sandbox.base import (
    CheckResult,
    Execution,
    ExitReason,
    Failure,
    FakeSandbox,
    Run,
)
from codegym.tasks.record import AssertCheck, CallCheck, StdinCheck, Task

PASSED, WRONG, ERROR, SYNTAX = Status.PASSED, Status.WRONG_ANSWER, Status.RUNTIME_ERROR, Status.SYNTAX_ERROR
TIMEOUT, MEMORY, OUTPUT, NOT_RUN = Status.TIMEOUT, Status.MEMORY_LIMIT, Status.OUTPUT_LIMIT, Status.NOT_RUN
LIMIT_STATUS = {ExitReason.TIMEOUT: TIMEOUT, ExitReason.MEMORY: MEMORY, ExitReason.OUTPUT: OUTPUT}

STDIN = Task("stdin", "Print twice the number.", (StdinCheck("1", "2"), StdinCheck("2", "4"), StdinCheck("3", "6")))
CALL = Task("call", "Double.", tuple(CallCheck((n,), 2 * n) for n in (1, 2, 3)), entry_point="f")
ASSERT = Task("assert", "Double.", tuple(AssertCheck(f"assert f({n}) == {2 * n}") for n in (1, 2, 3)), exports=("f",))


class CountingSandbox(FakeSandbox):
    """A fake that keeps what it was asked for: the requests, and which were to run alone."""

    def __init__(self, answer=lambda request: Execution(runs=(Run(ExitReason.EXITED),))):
        super().__init__(answer)
        self.requests = []
        self.exclusive = []

    def submit(self, request, *, exclusive=False):
        self.requests.append(request)
        self.exclusive.append(exclusive)
        return super().submit(request, exclusive=exclusive)


class HeldSandbox(FakeSandbox):
    """A fake that answers when the test says so."""

    def __init__(self):
        super().__init__()
        self.futures = []

    def submit(self, request, *, exclusive=False):
        self.futures.append(Future())
        return self.futures[-1]


def printing(*texts):
    """An execution of a script that printed these, a run each."""
    return Execution(runs=tuple(Run(ExitReason.EXITED, stdout=text.encode(), cpu_seconds=0.25) for text in texts))


def verdict_of(task, execution, completion="x = 1", **options):
    return Judge(FakeSandbox(lambda request: execution), **options)(task, completion)


def outcomes(*values, ended=ExitReason.EXITED, code=0, error=None):
    """One process that answered with these, each a value or an outcome."""
    made = tuple(value if value is None or isinstance(value, CheckResult) else CheckResult(value) for value in values)
    return Execution(runs=(Run(ended, code, error=error, cpu_seconds=10),), outcomes=made)


RAISED = CheckResult(error=Failure("KeyError", "'a'", 1))
NO_MEMORY = CheckResult(error=Failure("MemoryError", "", 1))
ASSERTION = CheckResult(False, Failure("AssertionError", "no"))
