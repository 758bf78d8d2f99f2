"""Rewards from strings, mappings and functions."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from helpers.make_steps import make_last

from codegym.rewards import REWARDS, Reward, Term, from_verdict, parse_reward
from codegym.rewards.outcome import outcome
from codegym.step import Step


def weights(value):
    return {term.name: weight for term, weight in parse_reward(value).terms}


def test_smallest_use():
    assert weights("outcome + 0.5*process") == {"outcome": 1, "process": 0.5}


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("outcome", {"outcome": 1}),
        (" -0.1*length_penalty ", {"length_penalty": -0.1}),
        ("outcome - process*0.5", {"outcome": 1, "process": -0.5}),
        ("outcome\n+ process", {"outcome": 1, "process": 1}),
        ("2*0.5*outcome", {"outcome": 1}),
        ("-(outcome + 2*coderl)", {"outcome": -1, "coderl": -2}),
        ("psgpo(lambda_fail=0.5, lambda_pass=.1, lines='code')", {"psgpo": 1}),
        ("potential(initial_score=-0.5)", {"potential": 1}),
        ("0*process + 1e-3*outcome", {"process": 0, "outcome": 1e-3}),
        ({"outcome": 1.0, "process(mode='unit')": 0.5}, {"outcome": 1, "process": 0.5}),
        ({"outcome + process": 2}, {"outcome": 2, "process": 2}),
        ({outcome(): 3}, {"outcome": 3}),
        (outcome, {"outcome": 1}),
        (outcome(), {"outcome": 1}),
        (parse_reward("outcome"), {"outcome": 1}),
        (lambda step: 1.0, {"<lambda>": 1}),
    ],
)
def test_what_can_be_written(value, expected):
    assert weights(value) == expected


def shaped(*, amount: float = 1.0) -> Term:
    return from_verdict("shaped", lambda verdict: amount, amount, amount)


def no_term(*, amount: float = 1.0) -> float:
    return amount


def per_line(step: Step) -> float:
    return 1.0


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("rewards.test_parse:shaped", {"shaped": 1}),
        ("outcome - 0.5*rewards.test_parse:shaped(amount=2)", {"outcome": 1, "shaped": -0.5}),
        ({"rewards.test_parse:shaped": 2, "rewards.test_parse:per_line": 0.5}, {"shaped": 2, "per_line": 0.5}),
        ("codegym.rewards.outcome:outcome + psgpo(lines='code')", {"outcome": 1, "psgpo": 1}),
    ],
)
def test_terms_of_other_modules(value, expected, monkeypatch):
    monkeypatch.syspath_prepend(Path(__file__).parents[1])
    assert weights(value) == expected


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("rewards.test_parse:shape", "no object 'shape' in 'rewards.test_parse'"),
        ("no_such_module:shaped", "no module 'no_such_module'"),
        ("rewards.test_parse:shaped(amont=1)", "got 'amont' (did you mean 'amount'?)"),
        ("rewards.test_parse:per_line(x=1)", "takes no arguments"),
    ],
)
def test_what_is_wrong_with_terms_of_other_modules(text, message, monkeypatch):
    monkeypatch.syspath_prepend(Path(__file__).parents[1])
    with pytest.raises(ValueError, match=re.escape(message)):
        parse_reward(text)


def test_a_function_without_arguments_must_make_a_term():
    with pytest.raises(TypeError, match="makes no reward term: got 1.0"):
        parse_reward(no_term)


def test_arguments_reach_the_term():
    last = make_last(("x = 1\n", -0.5))
    assert parse_reward("psgpo(lambda_pass=0.5)").credit(last).tolist() == [0, -0.25, 0]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "outcom",
            "unknown reward term: got 'outcom' (did you mean 'outcome'?); expected one of outcome, pass_ratio, ",
        ),
        ("xyz + outcome", "wrong reward 'xyz + outcome': unknown reward term: got 'xyz'; expected one of"),
        (
            "psgpo(lambda_fial=1)",
            "got 'lambda_fial' (did you mean 'lambda_fail'?); expected lambda_fail, lambda_pass",
        ),
        ("outcome(a=1)", "unknown argument of outcome: got 'a'; expected no arguments"),
        ("psgpo(**x)", "got '**'; expected lambda_fail"),
        ("psgpo(lambda_fail=1, lambda_fail=2)", "psgpo has lambda_fail twice"),
        ("psgpo(0.3)", "no term and no weight times a term: got 'psgpo(0.3)'; expected a sum such as"),
        ("psgpo(lambda_fail=x)", "wrong lambda_fail of psgpo: got x; expected a number or a text in quotes"),
        (
            "psgpo(lambda_fail=-1)",
            "wrong reward 'psgpo(lambda_fail=-1)': wrong lambda_fail: got -1; expected a finite number, 0 or more",
        ),
        ("psgpo(lambda_fail='x')", "wrong lambda_fail: got 'x'; expected a finite number"),
        ("process(mode='abs')", "wrong mode: got 'abs'; expected one of 'absolute', 'unit', 'difference'"),
        ("outcome + outcome", "a term is there twice: got 'outcome'"),
        ("psgpo + psgpo(lambda_fail=1)", "a term is there twice: got 'psgpo'"),
        ("1e999*outcome", "wrong weight: got inf; expected a finite number"),
        (f"{'9' * 400}*outcome", "wrong weight: got inf"),
        ("outcome*process", "no weight times a term"),
        ("outcome/2", "no term and no weight times a term: got 'outcome / 2'"),
        ("outcome + 1", "got '1'"),
        ("True*outcome", "got 'True * outcome'"),
        ("rewards.outcome", "got 'rewards.outcome'"),
        ("", "cannot be read"),
        ("outcome +", "got 'outcome +'; expected a sum such as"),
        ("outcome\0", "null byte"),
    ],
)
def test_what_cannot_be_read_is_said(text, message):
    with pytest.raises(ValueError) as raised:
        parse_reward(text)
    assert message in str(raised.value)


@pytest.mark.parametrize("weight", [float("nan"), float("inf"), "1", None, True])
def test_weight_in_a_mapping_must_be_a_finite_number(weight):
    with pytest.raises(ValueError, match="finite number"):
        parse_reward({"outcome": weight})


def test_reward_without_terms_is_an_error():
    with pytest.raises(ValueError, match="at least one term"):
        parse_reward({})


def test_two_functions_of_one_name_are_an_error():
    with pytest.raises(ValueError, match="twice: got '<lambda>'"):
        parse_reward({(lambda step: 1.0): 1, (lambda step: 2.0): 1})


@pytest.mark.parametrize("value", [None, 3, ["outcome"]])
def test_anything_else_is_a_type_error(value):
    with pytest.raises(TypeError, match="no reward can be made from this"):
        parse_reward(value)


@pytest.mark.parametrize("name", REWARDS)
def test_every_name_can_be_written(name):
    assert isinstance(parse_reward(name), Reward) and weights(name) == {name: 1}
