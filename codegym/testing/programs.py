"""How the contract runs a program and states what it expects."""

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
CONTRACT_LIMITS = Limits(cpu_seconds=1, wall_seconds=4, memory_mb=128, processes=16, output_mb=1, temp_mb=8)
"""Small, so that programs which run into them do so soon."""
PATIENCE_SECONDS = 60.0


def request(source: str, job: ScriptJob | CallJob | AssertJob, **options: Any) -> Request:  # noqa: ANN401 - of Request
    """Make a request with the contract's limits; ``source`` may be indented."""
    return Request(dedent(source), job, **{"limits": CONTRACT_LIMITS, **options})


def execute(sandbox: Sandbox, wanted: Request) -> Execution:
    """Run one request and wait."""
    return sandbox.submit(wanted).result(PATIENCE_SECONDS)


def run(sandbox: Sandbox, source: str, stdin: str = "", **limits: float) -> Run:
    """Run a script with one stdin; ``limits`` are tighter ones than the contract's."""
    own = replace(CONTRACT_LIMITS, **limits)  # type: ignore[arg-type]
    execution = execute(sandbox, request(source, ScriptJob((stdin,)), limits=own))
    agree("syntax error of a correct program", execution.syntax_error, None)
    agree("runs of a script with one stdin", len(execution.runs), 1)
    return execution.runs[0]


def printed(sandbox: Sandbox, source: str, stdin: str = "") -> str:
    """What a script printed that must end by itself and well."""
    seen = run(sandbox, source, stdin)
    agree("end of a script", (seen.ended, seen.exit_code, seen.error), (ExitReason.EXITED, 0, None))
    return seen.stdout.decode("utf-8", "surrogatepass")


def call(
    sandbox: Sandbox, source: str, function: str, *arguments: tuple[object, ...]
) -> tuple[CheckResult | None, ...]:
    """Outcomes of calling ``function`` with each tuple of arguments."""
    outcomes = execute(sandbox, request(source, CallJob(function, arguments))).outcomes
    agree("number of outcomes", len(outcomes), len(arguments))
    return outcomes


def examine(
    sandbox: Sandbox, source: str, checks: Sequence[str], setup: str = "", attributes: bool = False
) -> tuple[CheckResult | None, ...]:
    """Outcomes of ``checks`` on a program that defines ``f``."""
    job = AssertJob(dedent(setup), tuple(map(dedent, checks)), ("f",), attributes)
    outcomes = execute(sandbox, request(source, job)).outcomes
    agree("number of outcomes", len(outcomes), len(checks))
    return outcomes


def agree(what: str, found: object, wanted: object) -> None:
    """Require that the two are equal."""
    require(what, found == wanted, f"found {found!r:.300}, wanted {wanted!r:.300}")


def require(what: str, holds: bool, detail: object = "") -> None:
    """Raise where it does not hold; no ``assert``, which ``python -O`` would leave out."""
    if not holds:
        raise AssertionError(f"{what}: {detail}" if detail else what)


def error_type(failure: Failure | None) -> str:
    """Type of a failure, empty for none."""
    return failure.type if failure else ""
