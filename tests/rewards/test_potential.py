"""Potential-based shaping, and the theorem: it leaves optimal policies alone, a plain process reward does not."""

from __future__ import annotations

import math
from functools import cache

import pytest
from helpers.make_steps import VERDICTS, end, episodes, make_last, make_lines, make_verdict
from hypothesis import given, settings
from hypothesis import strategies as st

from codegym.judge import Status
from codegym.rewards import Reward, parse_reward
from codegym.step import Step, iter_steps

PASSED, FAILED = make_verdict(), make_verdict(Status.WRONG_ANSWER)
PROGRAM = (("a = 1\n", 0.5), ("# note\n", None), ("b = 2\n", -0.25))


def stream(text, last):
    return pytest.approx([sum(parse_reward(text).stream(step).values()) for step in iter_steps(last)])


def test_smallest_use():
    # 0.5 - 0, then nothing for the comment, -0.25 - 0.5, and 0 - (-0.25) at the end
    assert stream("potential", make_last(*PROGRAM)) == [0.5, 0, -0.75, 0.25]


def test_discount_counts_lines():
    # .9*.5 - .1, .9*.5 - .5 for the comment, .9*-.25 - .5, .9*0 + .25
    assert stream("potential(gamma=0.9, initial_score=0.1)", make_last(*PROGRAM)) == [0.35, -0.05, -0.725, 0.25]


def test_potential_begins_at_the_score_of_the_prefix():
    assert stream("potential", make_last(*PROGRAM, given=1)) == [0, -0.75, 0.25]


def test_score_of_a_line_closed_by_the_end_does_not_matter():
    # the state behind it is terminal, its potential 0
    for score in (None, -1.0, 1.0):
        assert stream("potential", make_last(("a = 1\n", 0.5), ("b = 2", score))) == [0.5, -0.5]


@given(last=episodes(VERDICTS), start=st.floats(-1, 1))
def test_undiscounted_total_is_minus_the_first_potential(last, start):
    given_scores = [line.score for line in last.lines if line.from_prefix and line.score is not None]
    total = parse_reward(f"potential(initial_score={start})").credit(last).sum()
    assert math.isclose(total, -(given_scores[-1] if given_scores else start), abs_tol=1e-9)


@given(last=episodes(VERDICTS), start=st.floats(-1, 1), gamma=st.floats(0, 1))
def test_discounted_return_is_minus_the_first_potential(last, start, gamma):
    given_scores = [line.score for line in last.lines if line.from_prefix and line.score is not None]
    reward = parse_reward(f"potential(initial_score={start}, gamma={gamma})")
    paid = sum(gamma**time * sum(reward.stream(step).values()) for time, step in enumerate(iter_steps(last)))
    assert math.isclose(paid, -(given_scores[-1] if given_scores else start), abs_tol=1e-9)


@pytest.mark.parametrize("text", ["potential(gamma=1.1)", "potential(gamma=-0.1)", "potential(initial_score='a')"])
def test_arguments_are_checked(text):
    with pytest.raises(ValueError, match="expected a"):
        parse_reward(text)


# --- the theorem, on a small MDP that is solved exactly ---------------------------------------------------------

MAX_LINES = 3
LINES = ("a = 1\n", "b = 2\n", "# note\n")
ENDINGS = ("", "a = 1", "b = 2")  # the program ends right away, or with a last line that has no newline
Program = tuple[str, ...]


def programs_of(length: int) -> list[Program]:
    return [()] if length == 0 else [(*program, text) for program in programs_of(length - 1) for text in LINES]


PREFIXES = [program for length in range(MAX_LINES + 1) for program in programs_of(length)]
COMPLETE = [(*prefix, ending) if ending else prefix for prefix in PREFIXES for ending in ENDINGS]


def step_to(program: Program, ended: bool, scores: dict[Program, float], passing: frozenset[Program]) -> Step:
    """The step by which this program is reached; a line's score depends on the program up to it."""
    lines = make_lines(
        *[(text, None if text[0] == "#" else scores[program[: n + 1]]) for n, text in enumerate(program)]
    )
    if ended:
        return end(lines, PASSED if program in passing else FAILED)
    return Step(end((), None).task, lines, lines[-1], lines[-1].last_token + 1, 100)


def best_actions(
    reward: Reward, gamma: float, scores: dict[Program, float], passing: frozenset[Program]
) -> dict[Program, set[str]]:
    """All actions that are optimal, for every state: backward induction with the discount counted in lines."""

    def paid(program: Program, ended: bool) -> float:
        return sum(reward.stream(step_to(program, ended, scores, passing)).values())

    @cache
    def action_values(prefix: Program) -> dict[str, float]:
        values = {"end:" + text: paid((*prefix, text) if text else prefix, True) for text in ENDINGS}
        if len(prefix) < MAX_LINES:
            for text in LINES:
                after = (*prefix, text)
                values[text] = paid(after, False) + gamma * max(action_values(after).values())
        return values

    return {
        prefix: {action for action, value in values.items() if value > max(values.values()) - 1e-9}
        for prefix in PREFIXES
        for values in [action_values(prefix)]
    }


SCORE_TABLES = st.builds(
    lambda values: dict(zip(COMPLETE, values, strict=True)),
    st.lists(st.integers(-4, 4).map(lambda n: n / 4), min_size=len(COMPLETE), max_size=len(COMPLETE)),
)
PASSING = st.frozensets(st.sampled_from(COMPLETE))


@settings(max_examples=30)
@given(
    scores=SCORE_TABLES,
    passing=PASSING,
    gamma=st.sampled_from([1.0, 0.9, 0.5]),
    weight=st.sampled_from([0.1, 1.0, 50.0, -3.0]),
    start=st.sampled_from([0.0, 0.5]),
)
def test_potential_leaves_every_optimal_action_as_it_was(scores, passing, gamma, weight, start):
    plain = best_actions(parse_reward("outcome"), gamma, scores, passing)
    shaped = parse_reward({"outcome": 1, f"potential(gamma={gamma}, initial_score={start})": weight})
    assert best_actions(shaped, gamma, scores, passing) == plain


LIKES_LINES = dict.fromkeys(COMPLETE, 0.5)  # a line scorer that is content with whatever is written
PASSES = frozenset([("b = 2\n",)])  # but only one program passes


def test_plain_process_reward_prefers_a_program_that_fails():
    # after b = 2 ending pays 1, but two more lines and one without a newline pay 3 * .5
    best = best_actions(parse_reward("outcome + process"), 1.0, LIKES_LINES, PASSES)
    assert best[("b = 2\n",)] == {"a = 1\n", "b = 2\n"}
    assert best_actions(parse_reward("outcome"), 1.0, LIKES_LINES, PASSES)[("b = 2\n",)] == {"end:"}


@pytest.mark.parametrize("text", ["potential", "psgpo", "psgpo(lines='code')", "process(mode='difference')"])
def test_what_cannot_be_farmed_keeps_the_program_that_passes(text):
    best = best_actions(parse_reward(f"outcome + {text}"), 1.0, LIKES_LINES, PASSES)
    assert "b = 2\n" in best[()] and best[("b = 2\n",)] == {"end:"}


def test_discounts_that_differ_break_the_theorem():
    # the learner discounts by .5, the term by 1: a detour over a line that scores high pays
    scores = {program: 1.0 if program[:1] == ("a = 1\n",) else 0.0 for program in COMPLETE}
    passing = frozenset([()])
    plain = best_actions(parse_reward("outcome"), 0.5, scores, passing)
    assert plain[()] == {"end:"}
    assert best_actions(parse_reward("outcome + 4*potential"), 0.5, scores, passing)[()] != plain[()]
    assert best_actions(parse_reward("outcome + 4*potential(gamma=0.5)"), 0.5, scores, passing)[()] == plain[()]
