"""An episode for a terminal."""

from __future__ import annotations

import re
import time

import pytest
from hypothesis import given
from render.views import FAILED, HOSTILE, make_view, program_of, views
from rich.cells import cell_len

from codegym.judge import Status, Verdict
from codegym.render import ansi
from codegym.tasks.record import Task

STYLE = re.compile(r"\x1b\[[\d;]*m")


def plain(text: str) -> str:
    return STYLE.sub("", text)


def test_smallest_view() -> None:
    name = "double" + " " * 81 + "reward -0.250\n"
    code = """\
  line    reward  score
     1    +0.250   0.90  n = int(input())
     2                   # twice
✗    3    -0.500   0.10  print(n / 0)
"""
    result = "runtime error  1/3 checks  ✓✗·\nline 3: ZeroDivisionError: division by zero\n"
    terms = "outcome 0.000   process -0.250\n"
    budget = "━" * 85 + "  25/100 tokens\n"
    rule = "─" * 100 + "\n"
    expected = name + "Print twice the number.\n" + rule + code + rule + result + terms + budget
    assert plain(ansi(make_view(verdict=FAILED))) == expected


def line_of(view, words: str) -> str:
    return next(line for line in ansi(view).splitlines() if words in line)


def test_colours_differ_by_sign() -> None:
    up, down, zero = (
        set(STYLE.findall(line_of(make_view(program_of("xyz\n", reward=reward)), "xyz"))) for reward in (1, -1, 0)
    )
    assert up - down - zero
    assert down - up - zero


def test_how_an_episode_stands() -> None:
    writing = plain(ansi(make_view(ended=False, open_line="if x")))
    assert "   4                   if x▏\n" in writing
    assert "\nwriting\n" in writing
    assert "the machine failed" in ansi(make_view(valid=False))


def test_the_terminal_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    before = ansi(make_view(verdict=FAILED))
    for name, value in {"NO_COLOR": "1", "TERM": "dumb", "COLUMNS": "20", "FORCE_COLOR": "0"}.items():
        monkeypatch.setenv(name, value)
    assert ansi(make_view(verdict=FAILED)) == before


def test_the_end_of_a_long_program_is_shown_in_bounded_time() -> None:
    view = make_view(program_of(*(f"line_{n} = '{'x' * 1000}'\n" for n in range(5000))))
    start = time.process_time()
    shown = plain(ansi(view))
    assert time.process_time() - start < 1
    assert "4960 more above" in shown
    assert "line_4999" in shown
    assert "line_4959 " not in shown


def test_many_checks_and_terms_stay_in_their_lines() -> None:
    verdict = Verdict(Status.WRONG_ANSWER, (Status.WRONG_ANSWER,) * 1000)
    view = make_view(verdict=verdict, terms={f"term {n}": 1.0 for n in range(1000)})
    assert {cell_len(line) <= 100 for line in plain(ansi(view)).splitlines()} == {True}
    assert "0/1000 checks" in ansi(view)


def test_nothing_hostile_reaches_the_terminal() -> None:
    task = Task(HOSTILE, HOSTILE, make_view().task.checks)
    view = make_view(program_of(HOSTILE + "\r\n"), open_line=HOSTILE, task=task, terms={HOSTILE: 1.0}, ended=False)
    shown = plain(ansi(view))
    assert shown.replace("\n", "").isprintable()
    assert r"\x1b[31m\x00\ud800\u202e" in shown
    shown.encode("utf-8")


@given(views())
def test_any_view_can_be_shown(view) -> None:
    shown = plain(ansi(view))
    assert shown.replace("\n", "").isprintable()
    assert all(cell_len(line) <= 100 for line in shown.split("\n"))
