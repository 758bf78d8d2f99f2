"""Host side of a box: sends requests and receives executions, which it reads as hostile bytes."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any, NamedTuple

from codegym.errors import SandboxError
from codegym.sandbox.base import (
    AssertJob,
    CallJob,
    CheckResult,
    Execution,
    ExitReason,
    Failure,
    Request,
    Run,
    ScriptJob,
)
from codegym.sandbox.box import plain_codec
from codegym.sandbox.box.frames import Stream, pack

GRACE_SECONDS = 15.0
"""Time after the wall limit for which a box may stay silent before it counts as hung, in seconds."""
CACHED_TESTS = 256
"""Number of test suites that both sides remember; both forget all of them at once."""
MIB = 1 << 20

Message = tuple[dict[str, Any], bytes]


class BoxRequest(NamedTuple):
    """A request as a box gets it."""

    number: int
    """Number by which the box answers."""
    request: Request
    """Program and job."""
    cold: bool = False
    """Whether the program is compiled in its own process."""
    prefetch: bool = True
    """Whether the tests may send their questions together."""


class PrefetchMismatch(Exception):
    """The program has to run again, without prefetching: its tests asked other questions than before."""


class Box:
    """A live box, behind one connection.

    Several requests may be sent before the first is answered; ``receive`` returns the executions in the order of
    sending. Every method raises ``OSError``, ``EOFError`` or ``ValueError`` if the box is dead, silent or an impostor.

    Args:
        connection: Connected stream socket to the server in the box.
        kill: Function that ends the box, whatever it is doing.
        log_tail: Function that returns the end of the box's log.
    """

    def __init__(self, connection: socket.socket, kill: Callable[[], None], log_tail: Callable[[], str] = str) -> None:
        self._stream = Stream(connection)
        self._kill = kill
        self.log_tail = log_tail
        """Function that returns the end of the box's log, for error messages."""
        self._closing = threading.Lock()
        self._known_tests: dict[AssertJob, int] = {}
        self.num_served = 0
        self.next_health_check = 0

    def send(self, *requests: BoxRequest) -> None:
        """Write ``requests``; the box prepares those that are sent together at once."""
        messages = [
            pack(_header(each) | self._job_fields(each), each.request.source.encode("utf-8", "surrogatepass"))
            for each in requests
        ]
        self._set_timeout(requests[0].request)
        self._stream.send(*messages)

    def receive(self, number: int, request: Request) -> Execution:
        """Wait for the execution of the oldest request that was sent.

        Args:
            number: Number of that request.
            request: The request itself.

        Raises:
            PrefetchMismatch: The program has to run again without prefetching.
            ValueError: The answer is malformed.
        """
        self._set_timeout(request)
        try:
            execution = _read_execution(request, self._receive(number))
        except (TypeError, LookupError, AttributeError, ArithmeticError, RecursionError) as error:
            raise ValueError(f"malformed answer: {type(error).__name__}: {error}") from error
        self.num_served += 1
        return execution

    def probe(self, nonce: str) -> None:
        """Let the box reverse ``nonce``, which only a working one can do.

        Raises:
            SandboxError: The box gave a wrong answer.
        """
        request = Request("def echo(text):\n    return text[::-1]", CallJob("echo", ((nonce,),)))
        self.send(BoxRequest(-1, request))
        execution = self.receive(-1, request)
        if [outcome and outcome.value for outcome in execution.outcomes] != [nonce[::-1]]:
            raise SandboxError(f"the box failed its health check: got {execution}; expected {nonce[::-1]!r}")

    def interrupt(self) -> None:
        """Make every method that waits for the box fail; for any thread.

        The socket stays open: a thread that is about to wait could find another file under the freed descriptor.
        """
        with self._closing, suppress(OSError):
            self._stream.socket.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """End the box, whatever it is doing; only for the thread that uses it."""
        self.interrupt()
        with self._closing:
            self._stream.socket.close()
        self._kill()

    def _set_timeout(self, request: Request) -> None:
        """Set how long the box may be silent; only if it changes, because each setting is a system call."""
        timeout = request.limits.wall_seconds + GRACE_SECONDS
        if self._stream.socket.gettimeout() != timeout:
            self._stream.socket.settimeout(timeout)

    def _job_fields(self, box_request: BoxRequest) -> dict[str, Any]:
        job = box_request.request.job
        if isinstance(job, ScriptJob):
            return {"kind": "script", "stdins": job.stdins}
        if isinstance(job, CallJob):
            calls = [plain_codec.encode(list(arguments)).decode("ascii") for arguments in job.arguments]
            return {"kind": "calls", "function": job.function, "calls": calls}
        tests, text = self._tests(job)
        return {
            "kind": "asserts",
            "tests": tests,
            "text": text,
            "attributes": job.attributes,
            "prefetch": box_request.prefetch,
            "stop": job.stop_at_first_failure,
        }

    def _tests(self, job: AssertJob) -> tuple[int, str | None]:
        """Return the number of the tests, and their text if the server does not know them yet."""
        if (number := self._known_tests.get(job)) is not None:
            return number, None
        if len(self._known_tests) >= CACHED_TESTS:
            self._known_tests.clear()
        number = self._known_tests[job] = len(self._known_tests)
        return number, plain_codec.encode([job.setup, list(job.checks), list(job.exports)]).decode("ascii")

    def _receive(self, number: int) -> list[Message]:
        messages: list[Message] = []
        while not messages or not messages[-1][0]["last"]:
            header, block = self._stream.receive()
            if header["id"] != number:
                raise ValueError(f"the box answered another request: got {header['id']}; expected {number}")
            messages.append((header, block))
        return messages


def _header(box_request: BoxRequest) -> dict[str, Any]:
    request, limits = box_request.request, box_request.request.limits
    return {
        "id": box_request.number,
        "cold": box_request.cold,
        "trace": request.trace_lines,
        "first_line": request.first_line,
        "cpu": limits.cpu_seconds,
        "wall": limits.wall_seconds,
        "memory": limits.memory_mb * MIB,
        "processes": limits.processes,
        "output_bytes": limits.output_mb * MIB,
        "files": limits.temp_mb * MIB,
    }


def _read_execution(request: Request, messages: list[Message]) -> Execution:
    """Return the execution that the box reports in its messages.

    Raises:
        PrefetchMismatch: The program has to run again without prefetching.
    """
    if (syntax := messages[0][0].get("syntax")) is not None:
        return Execution(syntax_error=_failure(syntax))
    runs: list[Run] = []
    outcomes: tuple[CheckResult | None, ...] = ()
    for header, block in messages:
        run, events = _read_run(header["run"], block, _num_events(request))
        if (late_syntax := next((rest for kind, *rest in events if kind == "syntax"), None)) is not None:
            return Execution(syntax_error=_failure(late_syntax))
        runs.append(run)
        outcomes = _call_outcomes(request, events)
    if isinstance(request.job, AssertJob):
        if messages[0][0]["prefetch_mismatch"]:
            raise PrefetchMismatch
        outcomes = tuple([_HELD if each is True else _read_check(each) for each in messages[0][0]["results"]])
    return Execution(runs=tuple(runs), outcomes=outcomes)


def _num_events(request: Request) -> int:
    return len(request.job.arguments) + 1 if isinstance(request.job, CallJob) else 2


def _read_run(run: dict[str, Any], block: bytes, num_events: int) -> tuple[Run, list[list[Any]]]:
    """Return a run, as the server reports it, and the events that the program's own process reports."""
    stdout, report = block[: run["out"]], block[run["out"] :]
    *finished, _ = report.split(b"\n", num_events)  # the rest is unfinished: the process died, or wrote too much
    events = [event for line in finished if (event := _event(line))]
    error = next((_failure(rest) for kind, *rest in events if kind == "error"), None)
    lines = None if run["lines"] is None else frozenset(map(int, run["lines"]))
    ended, cpu_seconds, wall_seconds = ExitReason(run["ended"]), float(run["cpu"]), float(run["wall"])
    return Run(ended, int(run["status"]), stdout, error, cpu_seconds, wall_seconds, lines), events


def _event(line: bytes) -> list[Any] | None:
    """Read one line of a report; an unreadable value is a failed call, so that later calls keep their positions."""
    try:
        event = plain_codec.decode(line)
    except plain_codec.PlainError as error:
        return ["raised", "PlainError", str(error)]
    return event if type(event) is list and event and type(event[0]) is str else None


def _call_outcomes(request: Request, events: list[list[Any]]) -> tuple[CheckResult | None, ...]:
    """Return one result for each call, in order; None if the process died before it."""
    if not isinstance(request.job, CallJob):
        return ()
    outcomes: list[CheckResult | None] = []
    for kind, *rest in events:
        if kind == "value" and len(rest) == 1:
            outcomes.append(CheckResult(value=rest[0]))
        elif kind == "raised":
            outcomes.append(CheckResult(error=_failure(rest)))
    missing = len(request.job.arguments) - len(outcomes)
    return (*outcomes[: len(request.job.arguments)], *[None] * missing)


_HELD = CheckResult(value=True)


def _read_check(outcome: list[Any] | None) -> CheckResult | None:
    """Return the result of a check that did not hold, or None if it was not reached."""
    if outcome is None:
        return None
    value, *rest = outcome
    return CheckResult(value=value, error=_failure(rest))


def _failure(parts: list[Any]) -> Failure:
    """Read a failure that a program reports about itself; parts of wrong types are left out."""
    kind, message, line = [*parts, None, None, None][:3]
    return Failure(
        kind[:200] if type(kind) is str else "Exception",
        message[:2000] if type(message) is str else "",
        line if type(line) is int and 0 < line < 1 << 31 else None,
    )
