"""What the pictures share: rows, safe text, numbers."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from render.views import FAILED, HOSTILE, make_view, program_of, texts
from rich.cells import cell_len

from codegym.render.view import rows, short, signed, visible, wrapped
from codegym.syntax.lines import LineKind


def test_rows_of_a_program() -> None:
    first, comment, last = rows(make_view(verdict=FAILED), 80)
    assert (first.text, first.share, first.neutral, first.failed) == ("n = int(input())", 0.5, False, False)
    assert (comment.neutral, comment.intensity_step) == (True, 0)
    assert (last.share, last.intensity_step, last.failed) == (-1.0, -4, True)


def test_the_line_that_is_being_written_is_a_row_even_where_it_is_empty() -> None:
    assert [row.number for row in rows(make_view(ended=False), 80)] == [1, 2, 3, 4]
    assert rows(make_view(ended=False, open_line="if"), 80)[-1].text == "if"
    assert len(rows(make_view(ended=True), 80)) == 3


def test_given_lines_are_neutral() -> None:
    view = make_view(program_of("a\n", reward=0.0))
    (row,) = rows(view._replace(lines=(view.lines[0]._replace(from_prefix=True),)), 80)
    assert row.neutral


def test_a_comment_that_earned_something_is_not_shown_as_neutral() -> None:
    (row,) = rows(make_view([("# bonus\n", LineKind.COMMENT, 0.1, None)]), 80)
    assert not row.neutral


def test_a_large_reward_does_not_hide_a_small_one() -> None:
    small, large = rows(make_view([*program_of("a\n", reward=0.01), *program_of("b\n", reward=1.0)]), 80)
    # level is the root of 0.01
    assert (small.share, round(small.intensity, 9), small.intensity_step, large.intensity_step) == (0.01, 0.1, 1, 4)


@pytest.mark.parametrize(("reward", "strength"), [(float("inf"), 4), (float("-inf"), -4), (float("nan"), 0)])
def test_rewards_that_are_not_finite(reward: float, strength: int) -> None:
    other, strange = rows(make_view([*program_of("a\n"), *program_of("b\n", reward=reward)]), 80)
    assert (other.intensity_step, strange.intensity_step) == (4, strength)


def test_one_reward_for_every_line_or_an_error() -> None:
    with pytest.raises(ValueError, match="wrong number of line rewards: got 1; expected one for each of 3 lines"):
        rows(make_view(line_rewards=(1.0,)), 80)


def test_headlines() -> None:
    summaries = [make_view(ended=False).summary, make_view().summary, make_view(verdict=FAILED).summary]
    assert summaries == ["writing", "not judged yet", "runtime error"]
    assert "does not count" in make_view(valid=False).summary


def test_hostile_text_becomes_visible() -> None:
    assert visible(HOSTILE[:6], 99) == r"\x1b[31m\x00"
    assert visible("a\ud800\u202e\u2028\x9b\r\n", 99) == r"a\ud800\u202e\u2028\x9b\r\n"
    assert visible("中é", 99, ascii_only=True) == r"\u4e2d\xe9"


@given(texts, st.integers(1, 60), st.booleans())
def test_visible_text_is_printable_and_fits(text: str, width: int, ascii_only: bool) -> None:
    shown = visible(text, width, ascii_only)
    assert shown.isprintable()
    assert cell_len(shown) <= width
    assert shown.replace("…", "").isascii() or not ascii_only


@pytest.mark.parametrize("char", ["a", "\t", "\u0301", "中", "\x00"])
def test_long_lines_are_cut_whatever_they_are_made_of(char: str) -> None:
    shown = visible(char * 100_000, 50)
    assert shown.endswith("…")
    assert len(shown) <= 60


@given(texts, st.integers(8, 60), st.integers(1, 5))
def test_wrapped_text_fits(text: str, width: int, num_lines: int) -> None:
    lines = wrapped(text, width, num_lines)
    assert len(lines) <= num_lines
    assert all(line.isprintable() and cell_len(line) <= width for line in lines)


def test_wrapped_text_breaks_at_blanks_and_tells_that_there_is_more() -> None:
    assert wrapped("one two three", 8, 9) == ["one two", "three"]
    assert wrapped("one two three", 8, 1) == ["one tw …"]
    assert wrapped("one\n\ntwo", 8, 2) == ["one …"]
    assert wrapped(" \n ", 8, 2) == []


def test_numbers() -> None:
    assert [signed(x) for x in (0.25, -0.5, 0.0, -0.0, 1e-5, 12345.0)] == [
        "+0.250", "-0.500", "0.000", "0.000", "+1.0e-05", "+1.2e+04",
    ]  # fmt: skip
    assert [short(x) for x in (0.913, -1.0, 1e300)] == ["0.91", "-1.00", "1e+300"]
