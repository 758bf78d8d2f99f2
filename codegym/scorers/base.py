"""The line scorer protocol: a process reward model, or anything else that scores finished lines."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from typing import NamedTuple, Protocol

from codegym.tasks.record import Task


class ScoreRequest(NamedTuple):
    """Lines of one program to be scored."""

    task: Task
    lines: tuple[str, ...]
    """The program so far, line by line, each with its newline if it has one."""
    indices: tuple[int, ...]
    """Indices in ``lines`` to score, from 0, ascending and never empty. Neutral lines are not among them."""
    slot: int = 0
    """Slot of the caller that holds the program. Requests for one slot extend one another until one does not begin with
    the lines of the one before, so a scorer can keep a cache for each slot."""


class LineScorer(Protocol):
    """Scores finished lines, many programs in one call.

    The score of a line may depend on the task and on the program up to and including that line only: not on later
    lines, other requests of the batch, or the number of calls. So scoring line by line and scoring a whole program give
    the same scores.
    """

    def score(self, requests: Sequence[ScoreRequest]) -> Sequence[Sequence[float]]:
        """Return one finite number for each of the lines ``indices`` of every request, in order.

        A causal model may read a program once and take all of its scores from that pass.

        Args:
            requests: Programs with the lines to be scored.
        """


class FakeLineScorer:
    """Line scorer whose score in [-1, 1] is a checksum of the line; ``line_scorer="fake"`` names it."""

    def score(self, requests: Sequence[ScoreRequest]) -> list[list[float]]:
        """Return the scores of every request."""
        return [[_checksum(request.lines[index]) for index in request.indices] for request in requests]


def _checksum(line: str) -> float:
    return zlib.crc32(line.encode("utf-8", "replace")) / 0x7FFFFFFF - 1.0
