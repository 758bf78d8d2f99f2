r"""Sandboxes run untrusted programs under limits and report what happened.

    >>> from codegym.sandbox import Limits, Request, ScriptJob, open_sandbox
    >>> with open_sandbox("process", Limits(cpu_seconds=2), num_workers=1) as sandbox:
    ...     execution = sandbox.submit(Request("print(int(input()) + 1)", ScriptJob(("41",)))).result()
    >>> execution.runs[0].stdout
    b'42\n'

``BACKENDS`` is the table of back ends; ``codegym.testing.check_sandbox`` checks one of your own.
"""

from typing import TYPE_CHECKING

from codegym.plugins import lazy_exports
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

if TYPE_CHECKING:
    from codegym.sandbox.docker import DockerSandbox

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

__getattr__, __dir__ = lazy_exports(__name__, __all__, {"DockerSandbox": "codegym.sandbox.docker:DockerSandbox"})
