"""What happened in an episode, as frozen records: the only thing that rewards, infos and pictures read.

An episode is told in steps: one for every line that was closed, and a last one for the end of the program, whether
the policy wrote tokens, lines or the whole completion at once. So a reward that is a sum over steps has the same
total and falls on the same tokens however the program was driven.
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
    """1-based in the completion."""
    text: str
    """With its newline, where it has one."""
    kind: LineKind
    """Only ``LineKind.CODE`` is scored; the other kinds are neutral."""
    first_token: int
    """Index in the completion of the token that holds the first byte of the line."""
    last_token: int
    """Index of the token that closed the line: a reward for the line goes there."""
    score: float | None = None
    """What the line scorer said, None where the line is neutral or was not scored."""
    from_prefix: bool = False
    """Closed in the prefix that ``reset`` was given: no reward is due for it."""


class Step(NamedTuple):
    """One line that was closed, or the end of the program, or both where the last line has no newline."""

    task: Task
    lines: tuple[Line, ...]
    """All lines closed so far; ``line`` is the last of them."""
    line: Line | None
    """The line that this step closed; None where the program ended right after a newline."""
    num_tokens: int
    """Tokens of the completion up to here, those of a given prefix and the end-of-sequence token included."""
    max_tokens: int
    """The token budget."""
    ended: bool = False
    verdict: Verdict | None = None
    """Set at the end of the program; None there where the machine failed, see ``valid``."""
    budget_exhausted: bool = False
    """The program ended because its token budget was full, not by an end-of-sequence token."""
    num_prefix_tokens: int = 0
    """How many of the tokens a prefix gave."""

    @property
    def valid(self) -> bool:
        """False where the program ended and could not be judged: it must not count, neither as 0 nor as anything."""
        return self.verdict is not None or not self.ended

    @property
    def text(self) -> str:
        """The completion up to the last closed line."""
        return "".join(line.text for line in self.lines)

    @property
    def previous_score(self) -> float | None:
        """Score of the last scored line before ``line``; None where there is none."""
        before = self.lines[:-1] if self.line is not None else self.lines
        return next((line.score for line in reversed(before) if line.score is not None), None)


def iter_steps(last: Step) -> Iterator[Step]:
    """All steps of an episode for which a reward was due, in order, rebuilt from its last one."""
    for count, line in enumerate(last.lines, start=1):
        if line is last.line:
            break
        if not line.from_prefix:
            tokens = line.last_token + 1
            yield Step(
                last.task, last.lines[:count], line, tokens, last.max_tokens, num_prefix_tokens=last.num_prefix_tokens
            )
    yield last
