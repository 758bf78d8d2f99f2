"""Fake judge, which runs nothing."""

from __future__ import annotations

import zlib
from concurrent.futures import Future

from codegym.judge.base import Status, Verdict
from codegym.tasks.record import Task


class FakeJudge:
    """Judge that runs no program: the gold solution passes; any other program passes some checks, by its checksum.

    It is for tests and for measuring everything but the sandbox; ``sandbox="fake"`` names it.
    """

    def submit(self, task: Task, completion: str) -> Future[Verdict]:
        """Return a finished future."""
        future: Future[Verdict] = Future()
        future.set_result(_made_up(task, completion))
        return future


def _made_up(task: Task, completion: str) -> Verdict:
    total = len(task.checks)
    if completion == task.solution:
        return Verdict(Status.PASSED, (Status.PASSED,) * total)
    passed = zlib.crc32(completion.encode("utf-8", "replace")) % total
    return Verdict(Status.WRONG_ANSWER, (Status.PASSED,) * passed + (Status.WRONG_ANSWER,) * (total - passed))
