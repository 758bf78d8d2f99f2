"""Process terms: plain sums, PSGPO, the first error and the smallest score."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from helpers.make_steps import VERDICTS, episodes, make_last, make_verdict
from hypothesis import given
from hypothesis import strategies as st

from codegym.judge import Status
from codegym.rewards import parse_reward
from codegym.step import iter_steps
from codegym.syntax.lines import LineKind

FAILED = make_verdict(Status.WRONG_ANSWER)
PROGRAM = (("a = 1\n", 0.5), ("# note\n", None), ("b = 2\n", -0.25), ("c = 3\n", 1.0))


def per_line(text, *pairs, **options):
    """Credit of each line's closing token."""
    last = make_last(*(pairs or PROGRAM), **options)
    credit = parse_reward(text).credit(last)
    assert math.isclose(credit.sum(), sum(credit[line.last_token] for line in last.lines), abs_tol=1e-12)
    return pytest.approx([credit[line.last_token] for line in last.lines], abs=1e-12)


def test_smallest_use():
    assert per_line("process") == [0.5, 0, -0.25, 1.0]


# --- process ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("process(mode='unit')", [0.75, 0, 0.375, 1.0]),
        ("process(mode='difference')", [0.5, 0, -0.75, 1.25]),
        ("process(mode='difference', initial_score=-1.0)", [1.5, 0, -0.75, 1.25]),
        ("process(normalize='lines')", [0.5 / 3, 0, -0.25 / 3, 1 / 3]),  # three lines of code
        ("process(normalize='expected', expected_lines=5)", [0.1, 0, -0.05, 0.2]),  # max(3, 5)
        ("process(normalize='expected', expected_lines=2)", [0.5 / 3, 0, -0.25 / 3, 1 / 3]),  # max(3, 2)
    ],
)
def test_forms_and_normalisations(text, expected):
    assert expected == per_line(text)


def test_difference_goes_on_from_the_score_of_the_prefix():
    assert per_line("process(mode='difference')", given=2) == [0, 0, -0.75, 1.25]


def test_difference_telescopes():
    # 1.0, the last score, minus the start
    assert parse_reward("process(mode='difference', initial_score=0.25)").credit(make_last(*PROGRAM)).sum() == 0.75


def test_t_is_that_of_the_policy():
    assert per_line("process(normalize='lines')", given=1) == [0, 0, -0.125, 0.5]


def test_more_good_lines_do_not_pay_once_divided():
    short = [("a = 1\n", 1.0)] * 5
    for text in ("process(normalize='lines')", "process(normalize='expected', expected_lines=5)", "psgpo", "pure"):
        few, many = (parse_reward(text).credit(make_last(*lines)).sum() for lines in (short, short * 4))
        assert many <= few + 1e-12
    # what is divided by a constant is a plain sum, and that pays
    assert parse_reward("process").credit(make_last(*short * 4)).sum() == 20


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("process(initial_score=1.0)", "initial_score needs mode='difference': got mode='absolute'"),
        ("process(normalize='expected')", "need each other: got normalize='expected' and expected_lines=None"),
        ("process(expected_lines=3)", "need each other: got normalize='none' and expected_lines=3"),
        ("process(normalize='expected', expected_lines=0)", "expected_lines=0"),
        ("process(normalize='mean')", "got 'mean'; expected one of 'none', 'lines', 'expected'"),
        ("vppo(scale=-1)", "wrong scale: got -1; expected a finite number, 0 or more"),
        ("pure(temperature=0)", "wrong temperature: got 0; expected a finite number, 1e-06 or more"),
        ("length_penalty(free_tokens=-1)", "wrong free_tokens: got -1"),
        ("length_penalty(free_tokens=2.5)", "wrong free_tokens: got 2.5; expected a whole number"),
        ("line_limit(max_lines=True)", "wrong max_lines: got True"),
    ],
)
def test_arguments_are_checked(text, message):
    with pytest.raises(ValueError) as raised:
        parse_reward(text)
    assert message in str(raised.value)


# --- progress ---------------------------------------------------------------------------------------------------


def test_progress_pays_the_expected_lines_by_the_smallest_score_so_far():
    # (0.5 + 1) / 2, then (-0.25 + 1) / 2 for the second and, since what is lost stays lost, the third line; a fourth
    # line of code is one too many
    five = (*PROGRAM, ("d = 4\n", 1.0))
    assert per_line("progress(expected_lines=3)", *five) == [0.25, 0, 0.125, 0.125, 0]
    assert per_line("progress", *five) == [0.375, 0, 0.1875, 0, 0]  # the solution has two lines of code


def test_progress_counts_given_lines():
    assert per_line("progress(expected_lines=3)", given=1) == [0, 0, 0.125, 0.125]
    assert per_line("progress(expected_lines=1)", given=1) == [0, 0, 0, 0]


def test_progress_is_not_hacked_by_length():
    right, wrong, junk = ("a = 1\n", 1.0), ("b = 2\n", -1.0), ("# note\n", None)
    earned = [
        parse_reward("progress(expected_lines=3)").credit(make_last(*lines)).sum()
        for lines in ([right] * 3, [right] * 9, [right, *[junk] * 9], [right, wrong, right], [right])
    ]
    assert earned == pytest.approx([1, 1, 1 / 3, 1 / 3, 1 / 3])


@pytest.mark.parametrize("value", [0, "gold", math.inf, True])
def test_progress_checks_what_is_expected(value):
    with pytest.raises(ValueError, match="expected_lines="):
        parse_reward(
            f"progress(expected_lines={value!r})" if value != math.inf else {"progress(expected_lines=1e999)": 1}
        )


def test_progress_ends_where_the_interpreter_finds_an_error():
    right = [("a = 1\n", 1.0), ("b = 2 2\n", 1.0), ("c = 3\n", 1.0)]
    verdict = make_verdict(Status.SYNTAX_ERROR, error=("SyntaxError", "invalid syntax", 2))
    assert per_line("progress(expected_lines=4)", *right, verdict=verdict) == [0.25, 0, 0]
    assert per_line("progress(expected_lines=4, until_error=False)", *right, verdict=verdict) == [0.25, 0.25, 0.25]
    elsewhere = make_verdict(Status.RUNTIME_ERROR, error=("MemoryError", "", None))
    assert per_line("progress(expected_lines=4)", *right, verdict=elsewhere) == [0.25, 0.25, 0.25]


def test_progress_wants_a_solution():
    last = make_last(*PROGRAM)
    with pytest.raises(ValueError, match="no solution to count lines of: got task 'double' without one"):
        parse_reward("progress").credit(last._replace(task=replace(last.task, solution=None)))


# --- PSGPO ------------------------------------------------------------------------------------------------------


def test_psgpo_weighs_by_outcome_and_length():
    # lambda / T with T = 4 lines, the comment counted
    assert per_line("psgpo", verdict=FAILED) == [0.25 / 4 * 0.5, 0, 0.25 / 4 * -0.25, 0.25 / 4]
    assert per_line("psgpo") == [0.025 / 4 * 0.5, 0, 0.025 / 4 * -0.25, 0.025 / 4]
    # T = 3 lines of code
    assert per_line("psgpo(lines='code')", verdict=FAILED) == [0.25 / 3 * 0.5, 0, 0.25 / 3 * -0.25, 0.25 / 3]


@given(last=episodes(VERDICTS), fail=st.floats(0, 2), passed=st.floats(0, 2), lines=st.sampled_from(["all", "code"]))
def test_psgpo_is_at_most_lambda(last, fail, passed, lines):
    total = parse_reward(f"psgpo(lambda_fail={fail}, lambda_pass={passed}, lines={lines!r})").credit(last).sum()
    assert abs(total) <= (passed if last.verdict.passed else fail) + 1e-9


@given(last=episodes(VERDICTS))
def test_psgpo_keeps_the_rank_of_outcomes(last):
    total = parse_reward("outcome + psgpo").credit(last).sum()
    assert total >= 0.975 - 1e-9 if last.verdict.passed else total <= 0.25 + 1e-9


@pytest.mark.parametrize(
    "text", ["psgpo", "progress", "process(mode='unit')", "process(mode='unit', normalize='lines')"]
)
@pytest.mark.parametrize("score", [1.01, -3.0, math.inf])
def test_score_of_another_scale_is_an_error_and_not_cut_off(text, score):
    last = make_last(("a = 1\n", score))
    with pytest.raises(ValueError, match=r"wrong score of line 1: got .*; expected one in \[-1, 1\]"):
        parse_reward(text).credit(last)


# --- first error ------------------------------------------------------------------------------------------------


def test_first_error_pays_until_it_and_nothing_after():
    assert per_line("vppo") == [1 / 3, 0, -1, 0]
    assert per_line("vppo(scale=0.5, penalty=2.0)") == [0.5 / 3, 0, -2, 0]
    assert per_line("vppo(threshold=-0.5)") == [1 / 3, 0, 1 / 3, 1 / 3]
    assert per_line("vppo(threshold=0.75)") == [-1, 0, 0, 0]


def test_first_error_in_the_prefix_leaves_nothing_to_earn():
    assert per_line("vppo", given=3) == [0, 0, 0, 0]
    assert per_line("vppo(threshold=-0.5)", given=3) == [0, 0, 0, 1.0]


# --- smallest score ---------------------------------------------------------------------------------------------


def test_min_form_weighs_by_softmax():
    # temperature 1: exp(-0.5), exp(0.25), exp(-1) over their sum
    weights = [math.exp(-0.5), 0, math.exp(0.25), math.exp(-1)]
    scores = [0.5, 0, -0.25, 1.0]
    expected = [score * weight / sum(weights) for score, weight in zip(scores, weights, strict=True)]
    assert expected == per_line("pure(temperature=1.0)")


@given(last=episodes(VERDICTS))
def test_min_form_lies_between_the_minimum_and_the_mean(last):
    scores = [line.score for line in last.lines if line.score is not None and not line.from_prefix] or [0.0]
    assert min(scores) - 1e-9 <= parse_reward("pure").credit(last).sum() <= sum(scores) / len(scores) + 1e-9


def test_min_form_survives_large_scores_and_small_temperatures():
    assert per_line("pure(temperature=1e-6)", ("a\n", -1e6), ("b\n", 1e6)) == [-1e6, 0]


# --- length -----------------------------------------------------------------------------------------------------


def test_length_costs_the_tokens_that_the_policy_wrote():
    # 2 given, 6 written and the end, budget 100
    credit = parse_reward("length_penalty").credit(make_last(*PROGRAM, given=1))
    assert credit.tolist() == [0, 0] + [-0.01] * 7
    assert (
        parse_reward("length_penalty(free_tokens=5)").credit(make_last(*PROGRAM, given=1)).tolist()
        == [0] * 7 + [-0.01] * 2
    )


def test_line_cap_costs_lines_beyond_it():
    assert per_line("line_limit(max_lines=2)") == [0, 0, -1, -1]
    assert per_line("line_limit(max_lines=2)", given=1) == [0, 0, 0, -1]


# --- neutral lines by kind --------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [kind for kind in LineKind if kind is not LineKind.CODE])
@pytest.mark.parametrize("text", ["process", "process(normalize='lines')", "progress", "psgpo", "pure", "vppo"])
def test_line_of_a_neutral_kind_earns_nothing(kind, text):
    last = make_last(("a\n", 1.0), ("b\n", 1.0), kinds=[kind, LineKind.CODE])
    credit = parse_reward(text).credit(last)
    assert credit[1] == 0 < credit[3]


@given(last=episodes(VERDICTS))
def test_process_pays_what_the_scores_sum_to(last):
    scores = [line.score for line in last.lines if line.score is not None and not line.from_prefix]
    paid = [parse_reward("process").stream(step)["process"] for step in iter_steps(last)]
    assert math.isclose(sum(paid), sum(scores), abs_tol=1e-9)
