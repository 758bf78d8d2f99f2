"""Images of episodes, for videos and notebooks."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from codegym.judge import Status
from codegym.render.canvas import Canvas, Colour, cell_width
from codegym.render.view import Row, View, num_rows, rows, short, signed, visible, wrapped

# Multiples of 16, as video encoders need.
SIZE = (960, 640)
SMALLEST = (480, 320)
PAD = 28
# Sizes of text: the name and the reward; the program; everything else.
LARGE, CODE, SMALL = 22, 15, 13
ROW = 20
FOOTER = 132
# Blue for gains and orange for losses: unlike green and red, all kinds of colour vision distinguish them. Sign and
# side of the bar show the same without colour.
GROUND, PANEL, FAINT = (16, 19, 26), (23, 27, 36), (52, 59, 72)
BRIGHT, DIM = (228, 232, 238), (126, 136, 152)
EARNS, LOSES = (88, 166, 255), (255, 146, 64)
# Columns of the program, in pixels from PAD: right edges of numbers, middle of the bars, left edge of the text.
NUMBER, REWARD, BAR, SCORE, TEXT = 28, 100, 148, 228, 252
BAR_HALF = 32


def rgb_array(view: View, size: tuple[int, int] = SIZE) -> npt.NDArray[np.uint8]:
    """Return an image of the episode, uint8 [height, width, 3]; of a long program it shows the end.

    Args:
        view: Episode to show.
        size: Width and height in pixels, even numbers, at least 480 x 320.

    Raises:
        ImportError: Pillow is missing; it comes with ``codegym[render]``.
        ValueError: A size is odd or too small.
    """
    width, height = size
    if width % 2 or height % 2 or width < SMALLEST[0] or height < SMALLEST[1]:
        raise ValueError(
            f"wrong size: got {width} x {height}; expected even numbers, at least {SMALLEST[0]} x {SMALLEST[1]}"
        )
    canvas = Canvas(width, height, GROUND)
    top = _header(canvas, view, width, num_prompt_lines=3 if height >= 480 else 1)
    _program(canvas, view, width, top, height - FOOTER)
    _footer(canvas, view, width, height - FOOTER)
    return canvas.pixels


def _header(canvas: Canvas, view: View, width: int, num_prompt_lines: int) -> int:
    """Draw name, reward and prompt, and return the position of their lower edge."""
    begin = canvas.text_up_to(width - PAD, 22, signed(view.total), _sign_colour(view.total), LARGE)
    label = canvas.text_up_to(begin - 8, 31, "reward", DIM, SMALL)
    name = visible(view.task.task_id, (label - PAD) // cell_width(LARGE) - 1, ascii_only=True)
    canvas.text(PAD, 22, name, BRIGHT, LARGE)
    y = 60
    for line in wrapped(view.task.prompt, (width - 2 * PAD) // cell_width(SMALL), num_prompt_lines, ascii_only=True):
        canvas.text(PAD, y, line, DIM, SMALL)
        y += 18
    return y + 10


def _program(canvas: Canvas, view: View, width: int, top: int, bottom: int) -> None:
    canvas.rectangle(0, top, width, bottom - top, PANEL)
    canvas.text_up_to(PAD + REWARD, top + 8, "reward", DIM, SMALL)
    canvas.text_up_to(PAD + SCORE, top + 8, "score", DIM, SMALL)
    top += 30
    shown = rows(view, (width - 2 * PAD - TEXT) // cell_width(CODE), (bottom - top - 6) // ROW, ascii_only=True)
    if hidden := num_rows(view) - len(shown):
        canvas.text(PAD + TEXT, top - 22, f"{hidden} more above", DIM, SMALL)
    for index, row in enumerate(shown):
        _row(canvas, row, width, top + index * ROW)


def _row(canvas: Canvas, row: Row, width: int, y: int) -> None:
    colour = DIM if row.neutral else mix(BRIGHT, EARNS if row.intensity > 0 else LOSES, abs(row.intensity))
    if row.failed:
        canvas.rectangle(0, y, width, ROW, mix(PANEL, LOSES, 0.16))
        canvas.rectangle(0, y, 5, ROW, LOSES)
    canvas.rectangle(PAD + BAR, y, 1, ROW, FAINT)
    canvas.text_up_to(PAD + NUMBER, y + 2, str(row.number), LOSES if row.failed else DIM, SMALL)
    if row.kind is not None and not row.neutral:
        canvas.text_up_to(PAD + REWARD, y + 2, signed(row.reward), _sign_colour(row.reward), SMALL)
    length = abs(row.share) * BAR_HALF
    left = PAD + BAR - (length if row.share < 0 else 0)
    canvas.rectangle(left, y + 5, length, 10, _sign_colour(row.share))
    if row.score is not None:
        canvas.text_up_to(PAD + SCORE, y + 2, short(row.score), DIM, SMALL)
    end = canvas.text(PAD + TEXT, y, row.text, colour, CODE)
    if row.kind is None:
        canvas.rectangle(end + 1, y + 2, 2, 16, BRIGHT)


def _footer(canvas: Canvas, view: View, width: int, top: int) -> None:
    verdict = view.verdict
    bad = not view.valid or (verdict is not None and not verdict.passed)
    colour = LOSES if bad else EARNS if verdict is not None else BRIGHT
    cells = (width - 2 * PAD) // cell_width(SMALL)
    x = canvas.text(PAD, top + 16, visible(view.summary, (width - 2 * PAD) // cell_width(CODE)), colour, CODE)
    if verdict is not None:
        x = canvas.text(x + 18, top + 17, f"{verdict.passed_checks}/{verdict.total_checks} checks", BRIGHT, SMALL)
        _checks(canvas, verdict.checks, x + 18, top + 19, width - PAD)
    canvas.text(PAD, top + 42, visible(view.error, cells, ascii_only=True), LOSES, SMALL)
    _terms(canvas, view, top + 66, width - PAD)
    count = f"{view.num_tokens}/{view.max_tokens} tokens"
    length = canvas.text_up_to(width - PAD, top + 96, count, DIM, SMALL) - PAD - 14
    canvas.rectangle(PAD, top + 102, length, 5, FAINT)
    canvas.rectangle(PAD, top + 102, length * view.budget_share, 5, DIM)


def _checks(canvas: Canvas, checks: Sequence[Status], x: int, y: int, right: int) -> None:
    """Draw checks as shapes, not only colours: full squares passed, hollow ones failed, small ones did not run."""
    for index, status in enumerate(checks):
        if x + 24 > right and index + 1 < len(checks):
            canvas.text(x, y - 2, "…", DIM, SMALL)
            return
        if status is Status.NOT_RUN:
            canvas.rectangle(x + 4, y + 4, 4, 4, DIM)
        else:
            canvas.rectangle(x, y, 12, 12, EARNS if status is Status.PASSED else LOSES)
        if status not in (Status.PASSED, Status.NOT_RUN):
            canvas.rectangle(x + 2, y + 2, 8, 8, GROUND)
        x += 16


def _terms(canvas: Canvas, view: View, y: int, right: int) -> None:
    x = PAD
    for name, value in view.terms.items():
        name = visible(name, 30, ascii_only=True)
        if x + cell_width(SMALL) * (len(name) + 1 + len(signed(value))) > right:
            canvas.text(x, y, "…", DIM, SMALL)
            return
        x = canvas.text(x, y, f"{name} ", DIM, SMALL)
        x = canvas.text(x, y, signed(value), _sign_colour(value), SMALL) + 24


def mix(first: Colour, second: Colour, part: float) -> Colour:
    """Return a mixture of two colours.

    Args:
        first: Colour for a share of 0.
        second: Colour for a share of 1.
        part: Share of the second colour, 0 to 1.
    """
    red, green, blue = (round(a + (b - a) * part) for a, b in zip(first, second, strict=True))
    return red, green, blue


def _sign_colour(reward: float) -> Colour:
    return EARNS if reward > 0 else LOSES if reward < 0 else BRIGHT
