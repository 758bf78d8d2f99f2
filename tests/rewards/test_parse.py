"""Rewards from strings, mappings and functions."""

from __future__ import annotations

import pytest
from helpers.make_steps import make_last

from codegym.rewards import REWARDS, Reward, parse_reward
from codegym.rewards.outcome import outcome


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


def test_arguments_reach_the_term():
    last = make_last(("x = 1\n", -0.5))
    assert parse_reward("psgpo(lambda_pass=0.5)").credit(last).tolist() == [0, -0.25, 0]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("outcom", "no term 'outcom' (did you mean 'outcome'?); there are coderl, "),
        ("xyz + outcome", "in the reward 'xyz + outcome': there is no term 'xyz'; there are"),
        (
            "psgpo(lambda_fial=1)",
            "psgpo takes lambda_fail, lambda_pass, lines, and no 'lambda_fial' (did you mean 'lambda_fail'?)",
        ),
        ("outcome(a=1)", "outcome takes no arguments, and no 'a'"),
        ("psgpo(**x)", "and no '**'"),
        ("psgpo(lambda_fail=1, lambda_fail=2)", "psgpo is given lambda_fail twice"),
        ("psgpo(0.3)", "'psgpo(0.3)' is no term and no weight times a term; wanted a sum such as"),
        ("psgpo(lambda_fail=x)", "lambda_fail=x of psgpo: wanted a number or a string in quotes"),
        (
            "psgpo(lambda_fail=-1)",
            "in the reward 'psgpo(lambda_fail=-1)': lambda_fail=-1, wanted a finite number, 0 or more",
        ),
        ("psgpo(lambda_fail='x')", "lambda_fail='x', wanted a finite number"),
        ("process(mode='abs')", "mode='abs', wanted one of 'absolute', 'unit', 'difference'"),
        ("outcome + outcome", "'outcome' stands there twice"),
        ("psgpo + psgpo(lambda_fail=1)", "'psgpo' stands there twice"),
        ("1e999*outcome", "weight=inf, wanted a finite number"),
        (f"{'9' * 400}*outcome", "weight=inf"),
        ("outcome*process", "no weight times a term"),
        ("outcome/2", "'outcome / 2' is no term"),
        ("outcome + 1", "'1' is no term"),
        ("True*outcome", "'True * outcome' is no term"),
        ("rewards.outcome", "'rewards.outcome' is no term"),
        ("", "cannot be read"),
        ("outcome +", "the reward 'outcome +' cannot be read"),
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
    with pytest.raises(ValueError, match="'<lambda>' stands there twice"):
        parse_reward({(lambda step: 1.0): 1, (lambda step: 2.0): 1})


@pytest.mark.parametrize("value", [None, 3, ["outcome"]])
def test_anything_else_is_a_type_error(value):
    with pytest.raises(TypeError, match="no reward can be made from"):
        parse_reward(value)


@pytest.mark.parametrize("name", REWARDS)
def test_every_name_can_be_written(name):
    assert isinstance(parse_reward(name), Reward) and weights(name) == {name: 1}
