"""Coloured text of episodes for a terminal, independent of the terminal it is made in."""

from __future__ import annotations

import io
from collections.abc import Iterator

from rich.console import Console
from rich.text import Text

from codegym.judge import Status, Verdict
from codegym.render.view import CHECK_MARKS, FAILED_MARK, Row, View, num_rows, rows, short, signed, visible, wrapped

WIDTH = 100
LAST_LINES = 40
PROMPT_LINES = 6
# Blue for gains and orange for losses, pale to strong: unlike green and red, all kinds of colour vision distinguish
# them, and the sign of the number shows the same without colour. They are among the 256 colours of every terminal, and
# of a lightness that is legible on dark and on light backgrounds.
EARNS = ("", "color(67)", "color(68)", "color(39)", "color(33)")
LOSES = ("", "color(137)", "color(172)", "color(208)", "color(202)")
HEAD = f" {'line':>5} {'reward':>9} {'score':>6}  "
STATUS_STYLE = {Status.PASSED: EARNS[-1], Status.NOT_RUN: "dim"}


def ansi(view: View) -> str:
    """Return the episode in ``view`` as coloured text, 100 cells wide, with the last 40 lines of the program.

    Number, reward and score of a line precede it, so that no program text can displace them.
    """
    # An environment of its own: NO_COLOR, TERM, COLUMNS or a notebook must not change what is returned.
    console = Console(
        file=io.StringIO(),
        width=WIDTH,
        force_terminal=True,
        force_jupyter=False,
        color_system="256",
        legacy_windows=False,
        _environ={},
    )
    with console.capture() as capture:
        for line in _lines(view):
            console.print(line, no_wrap=True, overflow="crop", crop=True, soft_wrap=False)
    return capture.get()


def _lines(view: View) -> Iterator[Text]:
    yield _header(view)
    for line in wrapped(view.task.prompt, WIDTH, PROMPT_LINES):
        yield Text(line, "dim")
    yield _rule()
    yield Text(HEAD.rstrip(), "dim")
    shown = rows(view, WIDTH - len(HEAD), LAST_LINES)
    if hidden := num_rows(view) - len(shown):
        yield Text(f"{'⋮':>6}  {hidden} more above", "dim")
    for row in shown:
        yield _code(row)
    yield _rule()
    yield from _result(view)
    yield _budget(view)


def _header(view: View) -> Text:
    total = signed(view.total)
    name = visible(view.task.task_id, WIDTH - len("  reward ") - len(total))
    header = Text().append(name, "bold")
    header.pad_right(WIDTH - len("reward ") - len(total) - header.cell_len)
    return header.append("reward ", "dim").append(total, f"bold {_sign_style(view.total)}")


def _rule() -> Text:
    return Text("─" * WIDTH, "dim")


def _code(row: Row) -> Text:
    style = "dim" if row.neutral else _intensity_style(row.intensity_step)
    reward = "" if row.neutral or row.kind is None else signed(row.reward)
    score = "" if row.score is None else short(row.score)
    text = Text().append(FAILED_MARK, LOSES[-1]) if row.failed else Text(" ")
    text.append(f"{row.number:>5} ", f"bold {LOSES[-1]}" if row.failed else "dim")
    text.append(f"{reward:>9} ", style).append(f"{score:>6}  ", "dim")
    code = row.text.lstrip()
    text.append(row.text.removesuffix(code)).append(code, f"{style} underline" if row.failed else style)
    if row.kind is None:
        text.append("▏", "bold")
    text.rstrip()
    return text


def _result(view: View) -> Iterator[Text]:
    verdict = view.verdict
    if verdict is None:
        yield Text(view.summary, "dim" if view.valid else f"bold {LOSES[-1]}")
    else:
        yield _checks(view.summary, verdict)
    if view.error:
        yield Text(visible(view.error, WIDTH), LOSES[-1])
    if view.terms:
        yield _terms(view)


def _checks(summary: str, verdict: Verdict) -> Text:
    style = EARNS[-1] if verdict.passed else LOSES[-1]
    text = Text().append(summary, f"bold {style}")
    text.append(f"  {verdict.passed_checks}/{verdict.total_checks} checks  ")
    room = WIDTH - text.cell_len
    for status in verdict.checks[: room - 1]:
        text.append(CHECK_MARKS[status], STATUS_STYLE.get(status, LOSES[-1]))
    return text.append("…" if verdict.total_checks >= room else "", "dim")


def _terms(view: View) -> Text:
    text = Text()
    for name, value in list(view.terms.items())[:WIDTH]:
        text.append(f"{visible(name, 30)} ", "dim").append(signed(value), _sign_style(value)).append("   ")
    text.rstrip()
    text.truncate(WIDTH, overflow="ellipsis")
    return text


def _budget(view: View) -> Text:
    count = f"{view.num_tokens}/{view.max_tokens} tokens"
    room = max(0, WIDTH - len(count) - 2)
    full = round(room * view.budget_share)
    return Text("━" * full).append("━" * (room - full), "dim").append(f"  {count}", "dim")


def _intensity_style(intensity_step: int) -> str:
    return EARNS[intensity_step] if intensity_step >= 0 else LOSES[-intensity_step]


def _sign_style(reward: float) -> str:
    return EARNS[-1] if reward > 0 else LOSES[-1] if reward < 0 else ""
