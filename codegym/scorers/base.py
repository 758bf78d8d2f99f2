"""The line scorer protocol: a process reward model, or anything else that scores finished lines."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from typing import NamedTuple, Protocol

from codegym.tasks.record import Task


class ScoreRequest(NamedTuple):
    """Lines of one program that want a score."""

    task: Task
    lines: tuple[str, ...]
    """The program so far, line by line, each with its newline where it has one."""
    indices: tuple[int, ...]
    """0-based indices in ``lines`` to score, ascending; never empty. Neutral lines are not among them."""
    slot: int = 0
    """Which of the caller's slots the program is in: requests for one slot extend one another until one does not
    begin with the lines of the one before, so that a scorer can keep a cache for each."""


class LineScorer(Protocol):
    """Scores finished lines, many programs in one call.

    The score of a line may depend on the task and on the program up to and including that line, and on nothing
    else: not on later lines, not on other requests of the batch, not on how often it was asked. That is what makes
    line by line and whole program agree.
    """

    def score(self, requests: Sequence[ScoreRequest]) -> Sequence[Sequence[float]]:
        """Score the lines ``indices`` of every request: one finite number for each of them, in order.

        A causal model may read a program once and take all wanted lines from that pass.
        """


class FakeLineScorer:
    """A line scorer whose score in [-1, 1] is a checksum of the line; ``line_scorer="fake"`` names it."""

    def score(self, requests: Sequence[ScoreRequest]) -> list[list[float]]:
        """Score the wanted lines of every request."""
        return [[_checksum(request.lines[index]) for index in request.indices] for request in requests]


def _checksum(line: str) -> float:
    return zlib.crc32(line.encode("utf-8", "replace")) / 0x7FFFFFFF - 1.0
