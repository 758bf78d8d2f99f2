"""The sandbox protocol and its records: what is asked of a sandbox and what it saw, never what that means.

A back end has one verb, ``submit``. It knows nothing of tasks, expected values or rewards; ``codegym.judge``
gives meaning to an ``Execution``. Trouble with the machine is a ``SandboxError`` on the future.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Limits:
    """What one process tree of a program may use; a program with several stdin checks runs once for each."""

    cpu_seconds: float = 10.0
    """CPU time of the process tree."""
    wall_seconds: float = 15.0
    """Time on the wall; generous, since it depends on the load of the host."""
    memory_mb: int = 1024
    """Memory of the whole process tree, in MiB."""
    processes: int = 64
    """Processes and threads alive at once."""
    output_mb: int = 16
    """Bytes printed, and bytes of returned values, in MiB."""
    temp_mb: int = 64
    """Temporary space, and the size of any one file, in MiB."""

    def __post_init__(self) -> None:
        for name in self.__slots__:
            if not getattr(self, name) > 0:
                raise ValueError(f"Limits.{name} must be above 0, got {getattr(self, name)!r}")


@dataclass(frozen=True, slots=True)
class ScriptJob:
    """Run the source as ``__main__``, in a fresh process for every stdin."""

    stdins: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class CallJob:
    """Run the source once, then call ``function`` (``"f"`` or ``"Class.method"``) with each tuple of arguments."""

    function: str
    arguments: tuple[tuple[object, ...], ...]


@dataclass(frozen=True, slots=True)
class AssertJob:
    """Run the source in one process and trusted test code in another, where ``exports`` are stand-ins.

    Each entry of ``checks`` counts on its own; one that raises does not stop the next.
    """

    setup: str
    checks: tuple[str, ...]
    exports: tuple[str, ...]
    attributes: bool = False
    """Let the tests use attributes and methods of the program's own objects; needed by tasks about its classes."""
    stop_at_first_failure: bool = False


@dataclass(frozen=True, slots=True)
class Request:
    """One program and what to do with it."""

    source: str
    job: ScriptJob | CallJob | AssertJob
    limits: Limits = Limits()
    first_line: int = 1
    """Failures are located at this line or after it: what stands before is not the program's own."""
    trace_lines: bool = False
    """Report the lines of the source that were executed (slower)."""


class ExitReason(StrEnum):
    """How a process ended."""

    EXITED = "exited"
    CRASHED = "crashed"
    TIMEOUT = "timeout"
    MEMORY = "memory"
    OUTPUT = "output"


@dataclass(frozen=True, slots=True)
class Failure:
    """An exception of the program, as the program's process tells it: good for messages, never for verdicts."""

    type: str
    message: str
    line: int | None = None
    """1-based line of the source where it was raised, None where no line of the source was on the stack."""


@dataclass(frozen=True, slots=True)
class Run:
    """One process of the program, from start to end."""

    ended: ExitReason
    exit_code: int = 0
    """Exit status; the negative signal number for a process that died of a signal."""
    stdout: bytes = b""
    error: Failure | None = None
    """The exception that ended the process or its module code."""
    cpu_seconds: float = 0.0
    wall_seconds: float = 0.0
    executed_lines: frozenset[int] | None = None


@dataclass(frozen=True, slots=True)
class CheckResult:
    """What came of one call or of one check of an examination."""

    value: object = None
    """Calls: the plain value that came back. Examination: True where the check ran to its end, else False."""
    error: Failure | None = None
    """The exception of the program; with the value False, of the examiner's own code (an assert that did not hold)."""


@dataclass(frozen=True, slots=True)
class Execution:
    """Everything the sandbox saw of one request."""

    syntax_error: Failure | None = None
    """Set where the source did not compile; then nothing ran."""
    runs: tuple[Run, ...] = ()
    """One for each stdin of a ``ScriptJob``, else one."""
    outcomes: tuple[CheckResult | None, ...] = ()
    """One for each call or check; None where the process did not get that far."""


class Sandbox(Protocol):
    """Runs programs that nobody trusts. Safe to call from several threads."""

    @property
    def num_workers(self) -> int:
        """Programs that run at the same time."""

    def submit(self, request: Request, *, exclusive: bool = False) -> Future[Execution]:
        """Queue ``request``; ``alone`` waits until nothing else runs in this sandbox and lets nothing else start."""

    def close(self) -> None:
        """End all workers and leave nothing behind; waiting requests fail with ``SandboxError``."""


@dataclass
class FakeSandbox:
    """Answers every request from a function, in the calling thread: for tests of what stands above a sandbox."""

    answer: Callable[[Request], Execution] = field(default=lambda request: Execution())
    num_workers: int = 1

    def submit(self, request: Request, *, exclusive: bool = False) -> Future[Execution]:
        """Call ``answer`` at once; what it raises is on the future."""
        future: Future[Execution] = Future()
        try:
            future.set_result(self.answer(request))
        except Exception as error:  # the future carries it, as it does for real back ends
            future.set_exception(error)
        return future

    def close(self) -> None:
        """Nothing to end."""
