"""Contract of line scorers."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from codegym.scorers import LineScorer, ScoreRequest
from codegym.scorers.labels import code_line_indices
from codegym.tasks.record import StdinCheck, Task

TOLERANCE = 1e-5
"""Maximum difference between two scores of one line, due to rounding."""

_CHECKS = (StdinCheck("", ""),)
_TASKS = (
    Task("add", "Write f(x): add 1. Return the result.\n", _CHECKS),
    Task("long", "Print the sum of all numbers, naïvely – 總和.\n" * 12, _CHECKS),
    Task("silent", "", _CHECKS),
)
_PROGRAMS = (
    ("def f(x):\n", "    x = x + 1\n", "    return x\n"),
    ("import sys\n", "\n", "# Sum them.\n", "total = sum(map(int, sys.stdin))\n", "print(total)"),
    ("s = '…'\r\n", "print(s)\n", "pass\n") * 3,
    ("x",),
)
_PAIRS = tuple((task, lines) for task in _TASKS for lines in _PROGRAMS)


def check_line_scorer(scorer: LineScorer) -> None:
    """Check that a line scorer keeps the promises of ``LineScorer``.

    >>> from codegym.scorers import FakeLineScorer
    >>> check_line_scorer(FakeLineScorer())

    Every requested line gets one finite score, which depends only on the task and the program up to and including the
    line. So scores are equal line by line, for whole programs, alone, in a batch of any order, and when repeated.

    Raises:
        AssertionError: Promises are broken; the message lists all of them.
    """
    broken = []
    for check in _PROMISES:
        try:
            check(scorer)
        except AssertionError as error:
            broken.append(f"{check.__name__.replace('_', ' ').strip()}: {error}")
    if broken:
        raise AssertionError(f"{len(broken)} of {len(_PROMISES)} promises are broken\n" + "\n".join(broken))


def _wanted(lines: Sequence[str]) -> tuple[int, ...]:
    """Return the indices of the lines that may be scored: those that are not neutral."""
    return tuple(code_line_indices("".join(lines)))


def _whole(slot: int, task: Task, lines: Sequence[str]) -> ScoreRequest:
    return ScoreRequest(task, tuple(lines), _wanted(lines), slot)


def _all(scorer: LineScorer) -> list[list[float]]:
    requests = [_whole(slot, task, lines) for slot, (task, lines) in enumerate(_PAIRS)]
    return [list(map(float, scores)) for scores in scorer.score(requests)]


def _same(came: Sequence[float], wanted: Sequence[float], what: str) -> None:
    close = len(came) == len(wanted) and all(abs(a - b) <= TOLERANCE for a, b in zip(came, wanted, strict=True))
    assert close, f"{what}: {list(came)} for {list(wanted)}"


def _one_finite_number_for_each_wanted_line(scorer: LineScorer) -> None:
    for (_, lines), scores in zip(_PAIRS, _all(scorer), strict=True):
        assert len(scores) == len(_wanted(lines)), f"{len(scores)} numbers for {len(_wanted(lines))} lines"
        assert all(map(math.isfinite, scores)), f"not finite: {scores}"


def _no_request_no_answer(scorer: LineScorer) -> None:
    assert list(scorer.score([])) == []


def _asked_again_is_the_same(scorer: LineScorer) -> None:
    for first, second in zip(_all(scorer), _all(scorer), strict=True):
        _same(second, first, "the second time")


def _only_some_lines(scorer: LineScorer) -> None:
    for (task, lines), whole in zip(_PAIRS, _all(scorer), strict=True):
        [scores] = scorer.score([ScoreRequest(task, lines, _wanted(lines)[::2])])
        _same(scores, whole[::2], f"only {_wanted(lines)[::2]} wanted")


def _line_by_line_is_the_whole_program(scorer: LineScorer) -> None:
    for (task, lines), whole in zip(_PAIRS, _all(scorer), strict=True):
        for index, score in zip(_wanted(lines), whole, strict=True):
            [scores] = scorer.score([ScoreRequest(task, lines[: index + 1], (index,), 7)])
            _same(scores, [score], f"line {index + 1}, when nothing came after it")


def _later_lines_change_nothing(scorer: LineScorer) -> None:
    for (task, lines), whole in zip(_PAIRS, _all(scorer), strict=True):
        if lines[-1].endswith("\n"):
            [scores] = scorer.score([_whole(0, task, [*lines, "raise SystemExit\n", "y = 2\n"])])
            _same(list(scores)[: len(whole)], whole, "with other lines after them")


def _other_requests_change_nothing(scorer: LineScorer) -> None:
    before = _all(scorer)
    for pair, whole in zip(_PAIRS, before, strict=True):
        [scores] = scorer.score([_whole(0, *pair)])
        _same(scores, whole, "alone")
    turned = [_whole(slot, *pair) for slot, pair in enumerate(reversed(_PAIRS))]
    for scores, whole in zip(scorer.score(turned), reversed(before), strict=True):
        _same(scores, whole, "in another order")


_PROMISES: tuple[Callable[[LineScorer], None], ...] = (
    _one_finite_number_for_each_wanted_line,
    _no_request_no_answer,
    _asked_again_is_the_same,
    _only_some_lines,
    _line_by_line_is_the_whole_program,
    _later_lines_change_nothing,
    _other_requests_change_nothing,
)
