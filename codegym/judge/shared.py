"""Judges for environments: by name, opened when the first program ends, shared within a process."""

from __future__ import annotations

import os
import threading
from concurrent.futures import Future
from dataclasses import dataclass

from codegym.judge.base import JudgeLike, Verdict
from codegym.judge.fake import FakeJudge
from codegym.judge.judge import Judge
from codegym.sandbox.backends import open_sandbox
from codegym.sandbox.base import Limits, Sandbox
from codegym.sandbox.pool import Pool
from codegym.tasks.record import Task

_NAMES = ("auto", "docker", "process")


@dataclass
class _Shared:
    """A sandbox that several environments of this process use, and its judge."""

    sandbox: Pool
    judge: Judge
    users: int = 0


_shared: dict[tuple[str, Limits], _Shared] = {}
_lock = threading.Lock()


def _forget_after_fork() -> None:
    """A sandbox belongs to the process that opened it: its threads do not live on in a fork."""
    global _lock
    _shared.clear()
    _lock = threading.Lock()


os.register_at_fork(after_in_child=_forget_after_fork)


class SharedJudge:
    """A judge in the sandbox of that name, which is opened by the first program and closed with the last user.

    It can be pickled and survives a fork: whoever judges with it in a new process opens a sandbox of its own there.
    """

    def __init__(self, name: str, limits: Limits) -> None:
        self.name = name
        self.limits = limits
        self._pid: int | None = None
        self._judge: Judge | None = None

    def submit(self, task: Task, completion: str) -> Future[Verdict]:
        """Start judging.

        Raises:
            SandboxUnavailable: this sandbox cannot work here.
        """
        if self._judge is None or self._pid != os.getpid():
            self._judge, self._pid = self._open(), os.getpid()
        return self._judge.submit(task, completion)

    def _open(self) -> Judge:
        key = (self.name, self.limits)
        with _lock:
            if key not in _shared:
                sandbox = open_sandbox(self.name, self.limits)  # type: ignore[arg-type]  # checked by make_judge
                _shared[key] = _Shared(sandbox, Judge(sandbox, self.limits))
            _shared[key].users += 1
            return _shared[key].judge

    def close(self) -> None:
        """Stop using the sandbox; the last one who does closes it."""
        if self._judge is None or self._pid != os.getpid():
            return
        self._judge = None
        with _lock:
            shared = _shared[self.name, self.limits]
            shared.users -= 1
            if shared.users:
                return
            del _shared[self.name, self.limits]
        shared.sandbox.close()

    def __reduce__(self) -> tuple[type[SharedJudge], tuple[str, Limits]]:
        return SharedJudge, (self.name, self.limits)


def make_judge(sandbox: str | Sandbox | JudgeLike, limits: Limits) -> JudgeLike:
    """Make a judge of what a user names: a back end, "fake", a sandbox, or a judge with settings of its own.

    Raises:
        ValueError: no such back end.
        TypeError: something else.
    """
    if sandbox == "fake":
        return FakeJudge()
    if isinstance(sandbox, str):
        if sandbox not in _NAMES:
            raise ValueError(f'no sandbox {sandbox!r}; there are {", ".join(_NAMES)}, and "fake", which runs nothing')
        return SharedJudge(sandbox, limits)
    if hasattr(sandbox, "num_workers"):
        return Judge(sandbox, limits)  # type: ignore[arg-type]  # a judge has no workers
    if hasattr(sandbox, "submit"):
        return sandbox
    raise TypeError(f"sandbox must be a name, a sandbox or a judge, got {type(sandbox).__name__}")
