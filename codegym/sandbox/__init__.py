r"""Sandboxes run untrusted programs under limits and report what happened.

    >>> from codegym.sandbox import Limits, Request, ScriptJob, open_sandbox
    >>> with open_sandbox("process", Limits(cpu_seconds=2), num_workers=1) as sandbox:
    ...     execution = sandbox.submit(Request("print(int(input()) + 1)", ScriptJob(("41",)))).result()
    >>> execution.runs[0].stdout
    b'42\n'

``BACKENDS`` is the table of back ends; ``codegym.testing.check_sandbox`` checks one of your own.
"""

from typing import Any

from codegym.sandbox.backends import BACKENDS, Backend, check_available, open_sandbox
from codegym.sandbox.base import (
    AssertJob,
    CallJob,
    CheckResult,
    Execution,
    ExitReason,
    Failure,
    FakeSandbox,
    Limits,
    Request,
    Run,
    Sandbox,
    ScriptJob,
)
from codegym.sandbox.pool import Pool
from codegym.sandbox.process import ProcessSandbox

__all__ = [
    "BACKENDS",
    "AssertJob",
    "Backend",
    "CallJob",
    "CheckResult",
    "DockerSandbox",
    "Execution",
    "ExitReason",
    "Failure",
    "FakeSandbox",
    "Limits",
    "Pool",
    "ProcessSandbox",
    "Request",
    "Run",
    "Sandbox",
    "ScriptJob",
    "check_available",
    "open_sandbox",
]


def __getattr__(name: str) -> Any:  # noqa: ANN401 - a class of a module that needs the Docker SDK
    if name == "DockerSandbox":
        return BACKENDS["docker"]
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
