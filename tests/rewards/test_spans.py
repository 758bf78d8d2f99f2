"""From lines to tokens, and the mask of lines that ran."""

from __future__ import annotations

import re

import pytest
from helpers.make_steps import end, make_last, make_lines, make_verdict
from hypothesis import given
from hypothesis import strategies as st

from codegym.judge import Status
from codegym.rewards import executed_mask, token_mask
from codegym.rewards.credit.spans import source_lines
from codegym.syntax.lines import LineKind

CODE, CONTINUATION = LineKind.CODE, LineKind.CONTINUATION


def test_smallest_use():
    lines = make_lines(("a\n", None), ("b\n", None), ("c\n", None))
    assert token_mask(lines[1:2], 7).tolist() == [False, False, True, True, False, False, False]
    assert not token_mask([], 2).any()


@given(text=st.text("a\r\n", max_size=12))
def test_lines_are_numbered_as_python_does(text):
    pieces = re.findall(r"[^\n]*\n|[^\n]+", text)
    numbers = source_lines(make_lines(*[(piece, None) for piece in pieces]))
    # each physical line of Python is in the one of ours that holds it
    expected = [len(re.findall(r"\r\n|\r|\n", piece)) + (not piece.endswith("\n")) for piece in pieces]
    assert [len(held) for held in numbers] == expected
    assert [number for held in numbers for number in held] == list(range(1, sum(expected) + 1))


# --- executed lines ---------------------------------------------------------------------------------------------


def mask_of(*texts, ran, **options):
    verdict = make_verdict(Status.WRONG_ANSWER, executed_lines=ran)
    return executed_mask(make_last(*[(text, None) for text in texts], verdict=verdict, **options)).tolist()


def test_tokens_of_lines_that_did_not_run_are_masked():
    # two tokens a line, the end is not masked
    assert mask_of("if a:\n", "    b\n", "c\n", ran={1, 3}) == [True, True, False, False, True, True, True]


def test_neutral_lines_do_not_run():
    assert mask_of("# a\n", "b\n", ran={2}) == [False, False, True, True, True]


def test_statement_over_several_lines_ran_where_one_of_them_did():
    kinds = [CONTINUATION, CONTINUATION, CODE, CODE]
    assert mask_of("f(\n", "  a,\n", ")\n", "b\n", ran={1, 4}, kinds=kinds) == [True] * 9
    assert mask_of("f(\n", "  a,\n", ")\n", "b\n", ran={4}, kinds=kinds) == [False] * 6 + [True] * 3
    assert mask_of("f(\n", "  a", ran={1}, kinds=[CONTINUATION, CONTINUATION]) == [True] * 5


def test_token_of_two_lines_is_kept_where_one_of_them_ran():
    assert mask_of("a\n", "b\n", ran={1}, tokens=[(0, 1), (1, 2)]) == [True, True, False, True]


def test_lone_carriage_return_ends_a_line_of_python():
    assert mask_of("a\rb\n", "c\n", ran={2}) == [True, True, False, False, True]
    assert mask_of("a\rb\n", "c\n", ran={3}) == [False, False, True, True, True]


def test_program_that_does_not_compile_is_not_masked():
    assert executed_mask(make_last(("a b\n", None), verdict=make_verdict(Status.SYNTAX_ERROR))).all()


def test_lines_that_were_not_traced_are_an_error():
    with pytest.raises(ValueError, match="trace_lines=True"):
        executed_mask(make_last(("a\n", None)))
    with pytest.raises(ValueError, match="was not judged"):
        executed_mask(end((), None))
