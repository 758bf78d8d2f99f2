"""Public fakes: a judge that runs nothing and a line scorer that reads nothing but the line."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from concurrent.futures import Future

from codegym.judge import Status, Verdict
from codegym.prm.base import ScoreRequest
from codegym.task import Task


class FakeJudge:
    """A judge that runs no program: the gold solution passes, of any other one some checks do, by its checksum.

    For tests and for measuring what stands around the sandbox; ``sandbox="fake"`` names it.
    """

    def submit(self, task: Task, completion: str) -> Future[Verdict]:
        """Answer at once."""
        future: Future[Verdict] = Future()
        future.set_result(_made_up(task, completion))
        return future


def _made_up(task: Task, completion: str) -> Verdict:
    total = len(task.checks)
    if completion == task.solution:
        return Verdict(Status.PASSED, (Status.PASSED,) * total)
    passed = zlib.crc32(completion.encode("utf-8", "replace")) % total
    return Verdict(Status.WRONG_ANSWER, (Status.PASSED,) * passed + (Status.WRONG_ANSWER,) * (total - passed))


class FakeLineScorer:
    """A line scorer whose score in [-1, 1] is a checksum of the line; ``line_scorer="fake"`` names it."""

    def score(self, requests: Sequence[ScoreRequest]) -> list[list[float]]:
        """Score the wanted lines of every request."""
        return [[_checksum(request.lines[index]) for index in request.wanted] for request in requests]


def _checksum(line: str) -> float:
    return zlib.crc32(line.encode("utf-8", "replace")) / 0x7FFFFFFF - 1.0
