"""Sandbox protocol and its records: requests, and executions, which report what happened but not what it means.

A sandbox has one verb, ``submit``. It knows nothing of tasks, expected values or rewards; ``codegym.judge`` turns an
``Execution`` into a verdict. A failure of the machine is a ``SandboxError`` on the future.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol, Self, runtime_checkable


@dataclass(frozen=True, slots=True)
class Limits:
    """Limits of one process tree of a program; a program with several stdin checks runs once for each of them.

    Raises:
        ValueError: A limit is not above 0.
    """

    cpu_seconds: float = 10.0
    """CPU time of the process tree, in seconds."""
    wall_seconds: float = 15.0
    """Elapsed time, in seconds; generous, because it depends on the load of the host."""
    memory_mb: int = 1024
    """Memory of the whole process tree, in MiB."""
    processes: int = 64
    """Number of processes and threads that are alive at the same time."""
    output_mb: int = 16
    """Printed bytes, and bytes of returned values, in MiB."""
    temp_mb: int = 64
    """Temporary disk space, which is also the size limit of a single file, in MiB."""

    def __post_init__(self) -> None:
        for name in self.__slots__:
            if not getattr(self, name) > 0:
                raise ValueError(f"wrong limit {name}: got {getattr(self, name)!r}; expected a number above 0")


@dataclass(frozen=True, slots=True)
class ScriptJob:
    """Run the source as ``__main__``, in a fresh process for every stdin."""

    stdins: tuple[str, ...]
    """Standard inputs, in the order of the runs."""


@dataclass(frozen=True, slots=True)
class CallJob:
    """Run the source once, then call ``function`` with each tuple of arguments."""

    function: str
    """Name of a function (``"f"``) or of a method (``"Class.method"``, on an instance made without arguments)."""
    arguments: tuple[tuple[object, ...], ...]
    """Positional arguments of each call, as plain data."""


@dataclass(frozen=True, slots=True)
class AssertJob:
    """Run the source in one process and trusted test code in another, in which ``exports`` are stand-ins.

    The checks are independent: one that raises does not stop the next.
    """

    setup: str
    """Test code that runs once, before the checks."""
    checks: tuple[str, ...]
    """Source of each check; a check holds if it runs to its end."""
    exports: tuple[str, ...]
    """Names of the program that the tests may use."""
    attributes: bool = False
    """Whether tests may use attributes and methods of the program's own objects, as tasks about classes need."""
    stop_at_first_failure: bool = False
    """Whether the checks after the first failure are left out."""


@dataclass(frozen=True, slots=True)
class Request:
    """One program and the job to do with it."""

    source: str
    """Source code of the program."""
    job: ScriptJob | CallJob | AssertJob
    """Way to run the program."""
    limits: Limits = Limits()
    """Limits of each process tree of the program."""
    first_line: int = 1
    """First line of the source that failures may be located at; lines before it belong to the task's preamble."""
    trace_lines: bool = False
    """Whether to report the lines of the source that were executed (slower)."""


class ExitReason(StrEnum):
    """Reason why a process ended."""

    EXITED = "exited"
    CRASHED = "crashed"
    TIMEOUT = "timeout"
    MEMORY = "memory"
    OUTPUT = "output"


@dataclass(frozen=True, slots=True)
class Failure:
    """An exception of the program as the program's own process reports it: for messages, never for verdicts."""

    type: str
    """Name of the exception's class."""
    message: str
    """Text of the exception."""
    line: int | None = None
    """1-based line of the source that raised it, None if no line of the source was on the stack."""


@dataclass(frozen=True, slots=True)
class Run:
    """One process of the program, from start to end."""

    ended: ExitReason
    """Reason why the process ended."""
    exit_code: int = 0
    """Exit status; the negative signal number if a signal ended the process."""
    stdout: bytes = b""
    """Printed bytes, up to the output limit."""
    error: Failure | None = None
    """The exception that ended the process or its module code."""
    cpu_seconds: float = 0.0
    """CPU time of the process tree, in seconds."""
    wall_seconds: float = 0.0
    """Elapsed time, in seconds."""
    executed_lines: frozenset[int] | None = None
    """1-based lines of the source that were executed, None without ``trace_lines``."""


@dataclass(frozen=True, slots=True)
class CheckResult:
    """Result of one call of a ``CallJob`` or of one check of an ``AssertJob``."""

    value: object = None
    """Returned value of a call, as plain data. For a check, True if it ran to its end, else False."""
    error: Failure | None = None
    """Exception of the program; if ``value`` is False, the exception of the test code (a failed assertion)."""


@dataclass(frozen=True, slots=True)
class Execution:
    """Everything that the sandbox observed of one request."""

    syntax_error: Failure | None = None
    """Set if the source did not compile; then nothing ran."""
    runs: tuple[Run, ...] = ()
    """One run for each stdin of a ``ScriptJob``, a single run for the other jobs."""
    outcomes: tuple[CheckResult | None, ...] = ()
    """One result for each call or check; None if the process ended before it."""


@runtime_checkable
class Sandbox(Protocol):
    """Runs untrusted programs. Safe to call from several threads.

    Back ends outside of this package inherit from this class, which makes them context managers that close at the end,
    or implement all of it.
    """

    num_workers: int
    """Number of programs that run at the same time."""

    def submit(self, request: Request, *, exclusive: bool = False) -> Future[Execution]:
        """Queue a request.

        Args:
            request: Program and job.
            exclusive: Run when nothing else runs in this sandbox, and start nothing else meanwhile.
        """
        raise NotImplementedError

    def close(self) -> None:
        """End all workers and remove everything they have made; waiting requests fail with ``SandboxError``."""
        raise NotImplementedError

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


@dataclass
class FakeSandbox(Sandbox):
    """Answers every request from a function, in the calling thread: for tests of code that uses a sandbox."""

    answer: Callable[[Request], Execution] = field(default=lambda request: Execution())
    """Function from a request to its execution; an exception that it raises is put on the future."""
    num_workers: int = 1
    """Number of workers that the sandbox claims to have."""

    def submit(self, request: Request, *, exclusive: bool = False) -> Future[Execution]:
        """Call ``answer`` at once."""
        future: Future[Execution] = Future()
        try:
            future.set_result(self.answer(request))
        except Exception as error:  # the future carries it, as it does for real back ends
            future.set_exception(error)
        return future

    def close(self) -> None:
        """Do nothing: there is nothing to end."""
