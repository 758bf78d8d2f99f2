"""Laws that hold for every term there is, whatever the episode."""

from __future__ import annotations

import inspect
import math

import numpy as np
import pytest
from helpers.make_steps import episodes, make_last, make_step, make_verdict
from hypothesis import given, settings
from hypothesis import strategies as st

from codegym.judge import Status
from codegym.rewards import REWARDS, Reward, ScoresNeeded, at_end, parse_reward, per_step
from codegym.step import Step, iter_steps

# every option of every term at least once
TERMS = [
    *REWARDS,
    "process(mode='unit')",
    "process(mode='difference', initial_score=0.3)",
    "process(normalize='lines')",
    "process(mode='unit', normalize='lines')",
    "process(mode='unit', normalize='expected', expected_lines=4)",
    "process(mode='difference', normalize='expected', expected_lines=4)",
    "progress(expected_lines=3, until_error=False)",
    "potential(gamma=0.9, initial_score=0.5)",
    "psgpo(lambda_fail=0.5, lambda_pass=0.1, lines='code')",
    "vppo(threshold=-0.5, scale=2.0, penalty=0.5)",
    "pure(temperature=1.0)",
    "rltf_fine(scale='paper')",
    "rltf_fine(weight=1.0)",
    "length_penalty(free_tokens=3)",
    "line_limit(max_lines=1)",
]


def test_smallest_use():
    last = make_last(("x = 1\n", 0.5), ("y = 2\n", -1.0))
    reward = parse_reward("outcome + 0.5*process")
    assert [reward.stream(step) for step in iter_steps(last)] == [
        {"outcome": 0.0, "process": 0.25},
        {"outcome": 0.0, "process": -0.5},
        {"outcome": 1.0, "process": 0.0},
    ]
    # tokens: x = 1 has 0 and 1, y = 2 has 2 and 3, the end is 4
    assert reward.credit(last).tolist() == [0, 0.25, 0, -0.5, 1.0]


REWARDS_MADE = {text: parse_reward(text) for text in TERMS}
MANY = settings(max_examples=150)


@MANY
@given(last=episodes())
def test_stream_sums_to_credit(last):
    steps = list(iter_steps(last))
    for text, reward in REWARDS_MADE.items():
        paid = 0.0
        for step in steps:  # it holds of an episode that is cut from outside before its end, too
            paid += sum(reward.stream(step).values())
            credit = reward.credit(step)
            assert credit.shape == (step.num_tokens,) and credit.dtype == np.float64, text
            assert math.isclose(paid, credit.sum(), abs_tol=1e-9), text


@MANY
@given(last=episodes())
def test_total_is_within_bounds(last):
    for text, reward in REWARDS_MADE.items():
        assert reward.low - 1e-9 <= reward.credit(last).sum() <= reward.high + 1e-9, text


@MANY
@given(last=episodes())
def test_tokens_of_given_lines_earn_nothing(last):
    first = max((line.last_token + 1 for line in last.lines if line.from_prefix), default=0)
    for text, reward in REWARDS_MADE.items():
        assert not reward.credit(last)[:first].any(), text


@MANY
@given(last=episodes(st.none()))
def test_end_that_was_not_judged_pays_nothing(last):
    for text, reward in REWARDS_MADE.items():
        assert not any(reward.stream(last).values()), text
        assert reward.scores is ScoresNeeded.PER_LINE or text.startswith("line_limit") or not reward.credit(last).any()


@MANY
@given(last=episodes())
def test_scores_are_read_only_when_announced(last):
    unscored = tuple(line._replace(score=None) for line in last.lines)

    def blind(step: Step) -> Step:
        return step._replace(lines=unscored[: len(step.lines)], line=step.line and unscored[len(step.lines) - 1])

    for text, reward in REWARDS_MADE.items():
        if reward.scores is ScoresNeeded.AT_END:
            assert not any(any(reward.stream(blind(step)).values()) for step in iter_steps(last) if not step.ended), (
                text
            )
        if reward.scores is ScoresNeeded.NEVER:
            assert np.array_equal(reward.credit(blind(last)), reward.credit(last)), text


@pytest.mark.parametrize("name", REWARDS)
def test_factory_is_documented_and_takes_keywords_only(name):
    parameters = inspect.signature(REWARDS[name]).parameters.values()
    assert all(parameter.kind is parameter.KEYWORD_ONLY for parameter in parameters)
    assert all(parameter.default is not parameter.empty for parameter in parameters)
    assert REWARDS[name]().name == name


@pytest.mark.parametrize("name", REWARDS)
def test_docstrings_have_formula_range_source_and_known_hacks(name):
    doc = inspect.getdoc(REWARDS[name])
    parts = [paragraph.partition(": ")[0] for paragraph in doc.split("\n\n")]
    assert [part for part in parts if part in ("Formula", "Range", "Source", "Known hacks")] == parts[1:5]


# --- traps ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", ["process", "process(normalize='lines')", "psgpo(lambda_pass=1.0)", "pure"])
def test_t1_two_lines_closed_by_one_token_add_up_on_it(text):
    one_token = make_last(("a = 1\n", 0.5), ("b = 2\n", 0.25), tokens=[(0, 1), (1, 1)])
    apart = make_last(("a = 1\n", 0.5), ("b = 2\n", 0.25))
    reward = parse_reward(text)
    assert reward.credit(one_token)[1] == pytest.approx(reward.credit(apart).sum())


def test_t4_unfinished_last_line_counts_once():
    last = make_last(("a = 1\n", 0.5), ("b = 2", 0.25))  # tokens 2 and 3, then the end
    assert last.line is last.lines[-1]
    assert [parse_reward("process").stream(step)["process"] for step in iter_steps(last)] == [0.5, 0.25]
    assert parse_reward("process").credit(last).tolist() == [0, 0.5, 0, 0, 0.25]
    assert parse_reward("process(normalize='lines')").credit(last).sum() == 0.375


@pytest.mark.parametrize(
    "text",
    ["process", "process(mode='unit')", "process(mode='difference')", "progress", "psgpo", "pure", "vppo"],
)
def test_t5_neutral_lines_earn_nothing(text):
    # even where somebody scored them
    last = make_last(("# good\n", 1.0), ("\n", 1.0), ("    # better\n", 1.0))
    assert parse_reward(text).credit(last).sum() == 0


# --- terms of one's own -----------------------------------------------------------------------------------------


def test_function_of_a_step_is_a_causal_term():
    def tidy(step: Step) -> float:
        return 0.1 if step.line is not None and step.line.text.endswith(";\n") else 0.0

    reward = parse_reward({"outcome": 1, tidy: -2})
    assert reward.scores is ScoresNeeded.PER_LINE
    assert reward.credit(make_last(("a = 1;\n", None))).tolist() == [0, -0.2, 1.0]


def test_function_is_not_asked_about_the_end_of_what_could_not_be_judged():
    reward = parse_reward(lambda step: float(step.ended and step.verdict.passed))
    assert reward.credit(make_last(("a\n", None), valid=False)).tolist() == [0, 0, 0]


def test_number_that_is_not_finite_is_an_error():
    reward = parse_reward(per_step("bad", lambda step: math.nan))
    with pytest.raises(ValueError, match="wrong amount of the term 'bad' for task 'double': got nan"):
        reward.stream(make_step(("a\n", None)))


def test_at_end_is_asked_only_about_programs_that_were_judged():
    asked = []
    term = at_end("count", lambda last: asked.append(last) or np.ones(last.num_tokens))
    assert term.stream(make_step(("a\n", None))) == 0 and term.stream(make_last(valid=False)) == 0
    assert asked == []
    assert term.stream(make_last(("a\n", None))) == 3  # two tokens and the end


# --- sums -------------------------------------------------------------------------------------------------------


def test_bounds_of_a_sum_turn_over_with_negative_weights():
    reward = parse_reward("2*outcome - 0.5*coderl + 0*process")
    assert (reward.low, reward.high) == (-0.5, 2.5)


def test_sum_needs_scores_as_its_strictest_term():
    needed = {text: parse_reward(text).scores for text in ("outcome", "outcome + psgpo", "psgpo + process")}
    assert list(needed.values()) == [ScoresNeeded.NEVER, ScoresNeeded.AT_END, ScoresNeeded.PER_LINE]


def test_sum_logs_no_negative_zero():
    paid = parse_reward("-1*outcome").stream(make_last(verdict=make_verdict(Status.WRONG_ANSWER)))
    assert math.copysign(1, paid["outcome"]) == 1


@pytest.mark.parametrize("weight", [math.nan, math.inf, True, "1", None])
def test_weight_must_be_a_finite_number(weight):
    with pytest.raises(ValueError, match="finite number"):
        Reward(((REWARDS["outcome"](), weight),))
