"""Content of a picture of an episode, and helpers that all pictures share: rows, words, numbers, safe text."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from rich.cells import cell_len, set_cell_size

from codegym.judge import Status, Verdict
from codegym.step import Line
from codegym.syntax.lines import LineKind
from codegym.tasks.record import Task

TAB = 4
FAILED_MARK = "✗"
CHECK_MARKS = dict.fromkeys(Status, FAILED_MARK) | {Status.PASSED: "✓", Status.NOT_RUN: "·"}


class View(NamedTuple):
    """Content of a picture of an episode, at its end or before."""

    task: Task
    """Task of the episode."""
    lines: tuple[Line, ...]
    """Closed lines of the program."""
    open_line: str
    """Text of the line that is not closed yet."""
    line_rewards: tuple[float, ...]
    """Reward of each of ``lines``."""
    total: float
    """Reward of the episode so far."""
    terms: Mapping[str, float]
    """Reward of the episode so far, by reward term."""
    verdict: Verdict | None
    """Verdict of the program; None before its end, and if the machine failed."""
    valid: bool
    """False if the machine could not judge the program: the episode does not count."""
    num_tokens: int
    """Tokens of the completion so far."""
    max_tokens: int
    """Token budget of the completion."""
    ended: bool
    """Whether the program has ended."""

    @property
    def summary(self) -> str:
        """State of the episode in a few words."""
        if self.verdict is not None:
            return self.verdict.status.replace("_", " ")
        if not self.valid:
            return "not judged: the machine failed, the episode does not count"
        return "not judged yet" if self.ended else "writing"

    @property
    def error(self) -> str:
        """Exception behind the verdict with its line, or "". It is program output: pass it through ``visible``."""
        if self.verdict is None or self.verdict.error is None:
            return ""
        error = self.verdict.error
        where = "" if error.line is None else f"line {error.line}: "
        return f"{where}{error.type}: {error.message}" if error.message else f"{where}{error.type}"

    @property
    def budget_share(self) -> float:
        """Share of the token budget that is used, 0 to 1."""
        return min(1.0, max(0.0, self.num_tokens / max(1, self.max_tokens)))


class Row(NamedTuple):
    """One line of a program in a picture."""

    number: int
    """Line number in the completion; the first line is 1."""
    text: str
    """Text that is safe to show, without its newline."""
    kind: LineKind | None
    """Kind of the line; None for the line that is not closed yet."""
    from_prefix: bool = False
    """Whether the line is part of the prefix of ``reset``."""
    failed: bool = False
    """Whether the verdict's error was raised here."""
    score: float | None = None
    """Score from the line scorer, if there is one."""
    reward: float = 0.0
    """Reward of the line."""
    share: float = 0.0
    """Reward divided by the largest one of the episode, -1 to 1: the length of a bar."""

    @property
    def neutral(self) -> bool:
        """Whether the line has no reward and cannot have one: blank, a comment, or from the prefix."""
        return self.reward == 0 and (self.from_prefix or self.kind not in (LineKind.CODE, None))

    @property
    def intensity(self) -> float:
        """Intensity of the colour, -1 to 1: the root of ``share``, so that a large reward does not hide the others."""
        return math.copysign(math.sqrt(abs(self.share)), self.share)

    @property
    def intensity_step(self) -> int:
        """Intensity in whole steps from -4 to 4; 0 only for a reward of 0."""
        return int(math.copysign(math.ceil(4 * abs(self.intensity)), self.intensity))


def rows(view: View, width: int, last: int | None = None, ascii_only: bool = False) -> list[Row]:
    """Return the lines of a program as rows.

    Args:
        view: Episode to show.
        width: Maximum cells of a text.
        last: Number of lines, counted from the end; None for all.
        ascii_only: Escape every character beyond ASCII.

    Raises:
        ValueError: There is not one reward for every line.
    """
    if len(view.lines) != len(view.line_rewards):
        raise ValueError(
            f"wrong number of line rewards: got {len(view.line_rewards)}; expected one for each of "
            f"{len(view.lines)} lines"
        )
    largest = max((abs(reward) for reward in view.line_rewards if math.isfinite(reward)), default=0.0)
    first = 0 if last is None else max(0, num_rows(view) - last)
    shown = [
        _row(view, line, reward, largest, visible(_without_newline(line.text), width, ascii_only))
        for line, reward in zip(view.lines[first:], view.line_rewards[first:], strict=True)
    ]
    if num_rows(view) > len(view.lines):
        shown.append(Row(len(view.lines) + 1, visible(view.open_line, width, ascii_only), None))
    return shown


def num_rows(view: View) -> int:
    """Return the number of lines in ``view``, the open one included."""
    return len(view.lines) + (bool(view.open_line) or not view.ended)


def _row(view: View, line: Line, reward: float, largest: float, text: str) -> Row:
    failed = view.verdict is not None and view.verdict.error is not None and view.verdict.error.line == line.number
    return Row(line.number, text, line.kind, line.from_prefix, failed, line.score, reward, _share(reward, largest))


def _share(reward: float, largest: float) -> float:
    if math.isfinite(reward):
        return reward / largest if largest else 0.0
    return 0.0 if math.isnan(reward) else math.copysign(1.0, reward)


def _without_newline(text: str) -> str:
    return text.removesuffix("\n").removesuffix("\r")


def visible(text: str, width: int, ascii_only: bool = False) -> str:
    r"""Return one line of ``text`` that is safe to show anywhere, cut with an ellipsis to ``width`` cells.

    It escapes what ``repr`` escapes: control characters, direction marks (which make source read as another program
    than the one that runs) and lone surrogates.

    >>> print(visible("\ta\x1b[31m\r", 80))
        a\x1b[31m\r

    Args:
        text: Text of one line.
        width: Maximum cells of the result.
        ascii_only: Escape every character beyond ASCII.
    """
    # Cut first: a line may be of any length. A character may also be 0 cells wide, so cells alone are no limit.
    head = "".join(_escaped(char, ascii_only) for char in text[: width + 1]).expandtabs(TAB)
    cells = cell_len(head)
    if len(text) <= width and cells <= width:
        return head
    return (head if cells < width else set_cell_size(head, width - 1)) + "…"


def _escaped(char: str, ascii_only: bool) -> str:
    if char == "\t" or (char.isprintable() and (char.isascii() or not ascii_only)):
        return char
    return char.encode("unicode_escape").decode("ascii")


def wrapped(text: str, width: int, num_lines: int, ascii_only: bool = False) -> list[str]:
    """Return the beginning of a text in lines that are safe to show, with an ellipsis if there is more.

    Args:
        text: Text of any length.
        width: Maximum cells of a line.
        num_lines: Maximum number of lines.
        ascii_only: Escape every character beyond ASCII.
    """
    text = text.strip()
    if not text:
        return []
    lines = _pieces(text[: width * num_lines + 1], width, ascii_only)
    shown = list(itertools.islice(lines, num_lines))
    if next(lines, None) is not None:
        while not shown[-1]:
            shown.pop()
        shown[-1] = visible(shown[-1][: width - 2] + " …", width)
    return shown


def _pieces(text: str, width: int, ascii_only: bool) -> Iterator[str]:
    for line in text.replace("\r\n", "\n").split("\n"):
        while len(line) > width:
            cut = line.rfind(" ", width // 2, width) + 1 or width
            yield visible(line[:cut].rstrip(), width, ascii_only)
            line = line[cut:]
        yield visible(line, width, ascii_only)


def signed(reward: float) -> str:
    """Return ``reward`` with its sign in at most 8 characters; a reward that is not 0 never reads as 0."""
    if reward == 0 or math.isnan(reward):
        return "nan" if reward else "0.000"
    return f"{reward:+.3f}" if 0.0005 <= abs(reward) < 1000 else f"{reward:+.1e}"


def short(score: float) -> str:
    """Return ``score`` in about 5 characters, however large it is."""
    return f"{score:.2f}" if not abs(score) >= 100 else f"{score:.0e}"
