"""Outcome terms: the value of a program as a whole."""

from __future__ import annotations

import pytest
from helpers.make_steps import VERDICTS, make_last, make_verdict
from hypothesis import given

from codegym.judge import Status
from codegym.rewards import parse_reward

PASSED, WRONG, ERROR, SYNTAX = Status.PASSED, Status.WRONG_ANSWER, Status.RUNTIME_ERROR, Status.SYNTAX_ERROR
TIMEOUT, MEMORY, OUTPUT, NOT_RUN = Status.TIMEOUT, Status.MEMORY_LIMIT, Status.OUTPUT_LIMIT, Status.NOT_RUN


def total(text, *checks, **options):
    return parse_reward(text).credit(make_last(("x = 1\n", None), verdict=make_verdict(*checks), **options)).sum()


def test_outcome_is_on_the_last_token():
    assert parse_reward("outcome").credit(make_last(("x = 1\n", None))).tolist() == [0, 0, 1]


@pytest.mark.parametrize("status", [WRONG, ERROR, SYNTAX, TIMEOUT, MEMORY, OUTPUT])
def test_outcome_is_nothing_for_anything_but_a_pass(status):
    assert total("outcome", PASSED, status) == 0


def test_pass_ratio_counts_checks_of_the_task():
    assert total("pass_ratio", PASSED, PASSED, WRONG, NOT_RUN) == 0.5
    assert total("pass_ratio", PASSED, PASSED) == 1
    assert total("pass_ratio", SYNTAX, SYNTAX) == 0


@pytest.mark.parametrize("name", ["coderl", "rltf"])
@pytest.mark.parametrize(
    ("checks", "value"),
    [
        ([PASSED, PASSED], 1.0),
        ([PASSED, WRONG], -0.3),
        ([WRONG, PASSED, ERROR], -0.6),  # any error outweighs any failure, although it came later
        ([WRONG, TIMEOUT, NOT_RUN], -0.6),
        ([MEMORY], -0.6),
        ([PASSED, OUTPUT], -0.6),
        ([SYNTAX, SYNTAX], -1.0),
        ([WRONG, NOT_RUN, NOT_RUN], -0.3),  # what did not run says nothing
    ],
)
def test_coarse_value_is_that_of_the_worst_check(name, checks, value):
    assert total(name, *checks) == value


@pytest.mark.parametrize(
    ("checks", "value"),
    [
        ([WRONG, WRONG], -0.3),  # -0.3 + 1.3 * 0
        ([PASSED, WRONG], 0.35),  # -0.3 + 1.3 / 2
        ([PASSED, PASSED, PASSED, WRONG], 0.675),  # -0.3 + 1.3 * 3 / 4
        ([PASSED, PASSED], 1.0),  # as -0.3 + 1.3 * 1
        ([PASSED, ERROR], -0.6),  # an error stays an error
        ([SYNTAX], -1.0),
    ],
)
def test_adaptive_value_runs_from_failed_to_passed(checks, value):
    assert total("rltf_adaptive", *checks) == pytest.approx(value)


@given(verdict=VERDICTS)
def test_adaptive_is_never_below_coarse(verdict):
    last = make_last(("x\n", None), verdict=verdict)
    coarse, adaptive = (parse_reward(text).credit(last).sum() for text in ("rltf", "rltf_adaptive"))
    assert coarse <= adaptive <= 1


def test_syntax_and_finished_are_penalties():
    assert total("syntax_penalty", SYNTAX) == -1 and total("syntax_penalty", ERROR) == 0
    # L10: a program without an end is not scored as if it were finished
    assert total("missing_eos", PASSED, budget_exhausted=True) == -1 and total("missing_eos", PASSED) == 0
