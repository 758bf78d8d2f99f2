"""Judges by name: their sandbox is opened for the first program and shared within a process."""

from __future__ import annotations

import os
import threading
from concurrent.futures import Future
from dataclasses import dataclass
from typing import NamedTuple

from codegym.judge.base import JudgeLike, Verdict
from codegym.judge.fake import FakeJudge
from codegym.judge.judge import Judge
from codegym.sandbox.backends import check_available, open_sandbox
from codegym.sandbox.base import Limits, Sandbox
from codegym.tasks.record import Task


class _Settings(NamedTuple):
    """Settings of a sandbox; judges with equal settings share one."""

    backend: str
    limits: Limits
    packages: tuple[str, ...]


@dataclass
class _Shared:
    """A sandbox that several judges of this process use, and the judge that runs in it."""

    sandbox: Sandbox
    judge: Judge
    num_users: int = 0


_shared: dict[_Settings, _Shared] = {}
_lock = threading.Lock()


def _forget_after_fork() -> None:
    """Forget the sandboxes of the parent process, whose threads do not exist in a fork."""
    global _lock
    _shared.clear()
    _lock = threading.Lock()


os.register_at_fork(after_in_child=_forget_after_fork)


class SharedJudge:
    """Judge in a sandbox that is opened for the first program and closed with its last user in this process.

    It can be pickled and survives a fork: in a new process it opens a sandbox of that process.

    Args:
        backend: Name as for ``codegym.sandbox.open_sandbox``.
        limits: Limits of each process of a program.
        packages: Packages that programs may import beyond the standard library.
    """

    def __init__(self, backend: str, limits: Limits, packages: tuple[str, ...] = ()) -> None:
        self.settings = _Settings(backend, limits, packages)
        self._pid: int | None = None
        self._judge: Judge | None = None

    def submit(self, task: Task, completion: str) -> Future[Verdict]:
        """Start judging; the first call opens the sandbox.

        Raises:
            SandboxUnavailable: The back end cannot work here.
        """
        if self._judge is None or self._pid != os.getpid():
            self._judge, self._pid = self._open(), os.getpid()
        return self._judge.submit(task, completion)

    def _open(self) -> Judge:
        backend, limits, packages = self.settings
        with _lock:
            if self.settings not in _shared:
                sandbox = open_sandbox(backend, limits, packages=packages)
                _shared[self.settings] = _Shared(sandbox, Judge(sandbox, limits))
            _shared[self.settings].num_users += 1
            return _shared[self.settings].judge

    def close(self) -> None:
        """Stop using the sandbox; its last user closes it."""
        if self._judge is None or self._pid != os.getpid():
            return
        self._judge = None
        with _lock:
            shared = _shared[self.settings]
            shared.num_users -= 1
            if shared.num_users:
                return
            del _shared[self.settings]
        shared.sandbox.close()

    def __reduce__(self) -> tuple[type[SharedJudge], _Settings]:
        return SharedJudge, self.settings


def make_judge(sandbox: str | Sandbox | JudgeLike, limits: Limits, packages: tuple[str, ...] = ()) -> JudgeLike:
    """Make a judge from whatever users pass as ``sandbox``.

    Args:
        sandbox: Name of a back end (as for ``codegym.sandbox.open_sandbox``), "fake" for a judge that runs nothing, an
            open sandbox, or a judge, which is returned as it is.
        limits: Limits of each process of a program.
        packages: Packages that programs may import, if the sandbox is opened by name.

    Raises:
        ValueError: There is no such back end.
        SandboxUnavailable: The back end cannot work here; the message names what is missing.
        TypeError: The object is neither a name, a sandbox nor a judge.
    """
    if sandbox == "fake":
        return FakeJudge()
    if isinstance(sandbox, str):
        check_available(sandbox)
        return SharedJudge(sandbox, limits, packages)
    if isinstance(sandbox, Sandbox):
        return Judge(sandbox, limits)
    if isinstance(sandbox, JudgeLike):
        return sandbox
    raise TypeError(
        f"wrong sandbox: got {type(sandbox).__name__}; expected the name of a back end, "
        "a codegym.sandbox.Sandbox, or a judge with a method submit(task, completion)"
    )
