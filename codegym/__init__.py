"""codegym: writing a program is an episode."""

from codegym.envs.registration import register_all
from codegym.errors import CodegymError, DatasetError, SandboxError, SandboxUnavailable, TaskError
from codegym.judge import Judge, Status, Verdict
from codegym.sandbox.base import FakeSandbox, Limits
from codegym.tasks.record import AssertCheck, CallCheck, StdinCheck, Task

__all__ = [
    "AssertCheck",
    "CallCheck",
    "CodegymError",
    "DatasetError",
    "FakeSandbox",
    "Judge",
    "Limits",
    "SandboxError",
    "SandboxUnavailable",
    "Status",
    "StdinCheck",
    "Task",
    "TaskError",
    "Verdict",
]

register_all()
