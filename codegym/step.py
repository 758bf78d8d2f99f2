"""Records of an episode: the only thing that rewards, infos and pictures read.

An episode is a sequence of steps: one for every line that was closed, and a last one for the end of the program,
whether the policy wrote tokens, lines or the whole completion at once. So a reward that is a sum over steps has the
same total and falls on the same tokens whatever the unit of action was.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from codegym.judge import Verdict
from codegym.syntax.lines import LineKind
from codegym.tasks.record import Task


class Line(NamedTuple):
    """One line of a completion that was closed by its newline or by the end of the program."""

    number: int
    """Line number in the completion; the first line is 1, as in error messages."""
    text: str
    """Text of the line, its newline included if it has one."""
    kind: LineKind
    """Kind of the line: only ``LineKind.CODE`` is scored, the other kinds are neutral."""
    first_token: int
    """Index in the completion of the token that holds the first byte of the line."""
    last_token: int
    """Index of the token that closed the line. A reward for the line goes to it."""
    score: float | None = None
    """Score from the line scorer; None if the line is neutral or was not scored."""
    from_prefix: bool = False
    """Whether the line was closed in the prefix of ``reset``; no reward is due for it."""


class Step(NamedTuple):
    """One line that was closed, or the end of the program, or both if the last line has no newline."""

    task: Task
    """Task of the episode."""
    lines: tuple[Line, ...]
    """All lines closed so far."""
    line: Line | None
    """Line that this step closed, the last of ``lines``; None if the program ended right after a newline."""
    num_tokens: int
    """Tokens of the completion up to here, those of the prefix and the end-of-sequence token included."""
    max_tokens: int
    """Token budget of the completion."""
    ended: bool = False
    """Whether this is the last step of the episode."""
    verdict: Verdict | None = None
    """Verdict of the program in the last step; None before, and if the machine failed (see ``valid``)."""
    budget_exhausted: bool = False
    """Whether the program ended because its token budget was full, not by an end-of-sequence token."""
    num_prefix_tokens: int = 0
    """Tokens of the completion that came from the prefix of ``reset``."""

    @property
    def valid(self) -> bool:
        """False if the program ended but could not be judged. Exclude such episodes from training and metrics."""
        return self.verdict is not None or not self.ended

    @property
    def text(self) -> str:
        """Text of the completion up to the last closed line."""
        return "".join(line.text for line in self.lines)

    @property
    def previous_score(self) -> float | None:
        """Score of the last scored line before ``line``; None if there is none."""
        before = self.lines[:-1] if self.line is not None else self.lines
        return next((line.score for line in reversed(before) if line.score is not None), None)


def iter_steps(last: Step, first_line: int = 0) -> Iterator[Step]:
    """Yield the steps of an episode for which a reward is due, in order, up to and including ``last``.

    Args:
        last: Newest step of the episode: the end of the program, or the step that closed the newest line.
        first_line: Index of the line to begin with; steps of the lines before it are left out.
    """
    for index in range(first_line, len(last.lines) - (last.line is not None)):
        line = last.lines[index]
        if not line.from_prefix:
            yield Step(
                task=last.task,
                lines=last.lines[: index + 1],
                line=line,
                num_tokens=line.last_token + 1,
                max_tokens=last.max_tokens,
                num_prefix_tokens=last.num_prefix_tokens,
            )
    yield last
