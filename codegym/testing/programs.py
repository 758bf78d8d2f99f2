"""Helpers of the contract: run a program, and compare its execution with the expected one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from textwrap import dedent
from typing import Any

from codegym.sandbox.base import (
    AssertJob,
    CallJob,
    CheckResult,
    Execution,
    ExitReason,
    Failure,
    Limits,
    Request,
    Run,
    Sandbox,
    ScriptJob,
)

Check = Callable[[Sandbox], None]
"""Check of the contract; raises ``AssertionError`` if the promise is broken."""
CONTRACT_LIMITS = Limits(cpu_seconds=1, wall_seconds=4, memory_mb=128, processes=16, output_mb=1, temp_mb=8)
"""Limits of the contract's programs: small, so that programs that exceed them do so soon."""
TIMEOUT_SECONDS = 60.0
"""Time in which every request must be answered, in seconds."""


def request(source: str, job: ScriptJob | CallJob | AssertJob, **options: Any) -> Request:
    """Return a request with the contract's limits.

    Args:
        source: Program, which may be indented.
        job: Way to run it.
        options: Further fields of the request.
    """
    return Request(dedent(source), job, **{"limits": CONTRACT_LIMITS, **options})


def execute(sandbox: Sandbox, wanted: Request) -> Execution:
    """Run one request and wait for its execution.

    Args:
        sandbox: Sandbox under test.
        wanted: Request to run.
    """
    return sandbox.submit(wanted).result(TIMEOUT_SECONDS)


def run(sandbox: Sandbox, source: str, stdin: str = "", **limits: float) -> Run:
    """Run a script with one stdin and return its run.

    Args:
        sandbox: Sandbox under test.
        source: Script, which may be indented.
        stdin: Standard input of the script.
        limits: Limits that differ from the contract's.
    """
    own = replace(CONTRACT_LIMITS, **limits)  # type: ignore[arg-type]
    execution = execute(sandbox, request(source, ScriptJob((stdin,)), limits=own))
    expect_equal("syntax error of a correct program", execution.syntax_error, None)
    expect_equal("runs of a script with one stdin", len(execution.runs), 1)
    return execution.runs[0]


def printed(sandbox: Sandbox, source: str, stdin: str = "") -> str:
    """Return the text that a script prints; it must exit with status 0.

    Args:
        sandbox: Sandbox under test.
        source: Script, which may be indented.
        stdin: Standard input of the script.
    """
    seen = run(sandbox, source, stdin)
    expect_equal("end of a script", (seen.ended, seen.exit_code, seen.error), (ExitReason.EXITED, 0, None))
    return seen.stdout.decode("utf-8", "surrogatepass")


def call(
    sandbox: Sandbox, source: str, function: str, *arguments: tuple[object, ...]
) -> tuple[CheckResult | None, ...]:
    """Return the results of calling a function of the program.

    Args:
        sandbox: Sandbox under test.
        source: Program, which may be indented.
        function: Name of the function.
        arguments: Positional arguments of each call.
    """
    outcomes = execute(sandbox, request(source, CallJob(function, arguments))).outcomes
    expect_equal("number of outcomes", len(outcomes), len(arguments))
    return outcomes


def examine(
    sandbox: Sandbox, source: str, checks: Sequence[str], setup: str = "", attributes: bool = False
) -> tuple[CheckResult | None, ...]:
    """Return the results of checks on a program that defines ``f``.

    Args:
        sandbox: Sandbox under test.
        source: Program, which may be indented.
        checks: Source of each check.
        setup: Test code before the checks.
        attributes: Whether tests may use attributes of the program's objects.
    """
    job = AssertJob(dedent(setup), tuple(map(dedent, checks)), ("f",), attributes)
    outcomes = execute(sandbox, request(source, job)).outcomes
    expect_equal("number of outcomes", len(outcomes), len(checks))
    return outcomes


def expect_equal(what: str, found: object, expected: object) -> None:
    """Raise unless two values are equal.

    Args:
        what: Description of the value, for the message.
        found: Value of the sandbox under test.
        expected: Value that the contract promises.

    Raises:
        AssertionError: They differ.
    """
    require(what, found == expected, f"got {found!r:.300}; expected {expected!r:.300}")


def require(what: str, holds: bool, detail: object = "") -> None:
    """Raise unless a condition holds; ``python -O`` would leave out an ``assert``.

    Args:
        what: Description of the condition, for the message.
        holds: Whether it holds.
        detail: Further information for the message.

    Raises:
        AssertionError: It does not hold.
    """
    if not holds:
        raise AssertionError(f"{what}: {detail}" if detail else what)


def error_type(failure: Failure | None) -> str:
    """Return the type of a ``failure``, an empty string for None."""
    return failure.type if failure else ""
