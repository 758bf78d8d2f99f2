"""States of episodes: going on from one is bit for bit what it was, here, elsewhere and after a pickle."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
from gymnasium.error import ResetNeeded
from helpers.env_judges import FailingAtTimes
from helpers.env_play import EOS, SINGLE, VECTOR, assert_same, draw_actions, small
from hypothesis import given, settings
from hypothesis import strategies as st

from codegym.envs.env import TokenEnv
from codegym.envs.vector import TokenVectorEnv

DENSE = {"reward": "outcome + 0.5*process + potential + psgpo", "line_scorer": "fake"}


def test_going_on_from_a_state_is_what_it_was():
    env = TokenEnv(sandbox="fake")
    env.reset(seed=3)
    env.step(ord("x"))
    state = env.get_state()
    first = env.step(EOS)
    env.set_state(state)
    assert env.text == "x"
    assert_same(env.step(EOS), first)


def follow(env, actions):
    """All that comes back, across resets."""
    found = []
    for action in actions:
        found.append(env.step(action))
        if found[-1][2] or found[-1][3]:
            found.append(env.reset())
    return found


@pytest.mark.parametrize("act", ["Token", "Line"])
@given(seed=st.integers(0, 1000), before=st.integers(0, 30), prefix=st.sampled_from(["", "x\n", "def f(x):\n    '''"]))
@settings(max_examples=25)
def test_a_state_holds_everything(act, seed, before, prefix):
    keywords = small(act, **DENSE, sandbox=FailingAtTimes())
    env = SINGLE[act](**keywords)
    rng = np.random.default_rng(seed)
    env.reset(seed=seed, options={"prefix": prefix})
    follow(env, [draw_actions(rng, act) for _ in range(before)])
    state = env.get_state()
    actions = [draw_actions(rng, act) for _ in range(40)]
    once = follow(env, actions)
    env.set_state(state)
    assert_same(follow(env, actions), once)  # the draws of the next tasks too
    other = SINGLE[act](**keywords)
    other.set_state(pickle.loads(pickle.dumps(state)))  # an environment that was never reset
    assert_same(follow(other, actions), once)
    env.set_state(state)  # nothing that happened since has changed it
    assert_same(follow(env, actions), once)


@pytest.mark.parametrize("act", ["Token", "Line"])
def test_states_go_from_single_environments_to_slots_and_back(act):
    keywords = small(act, **DENSE)
    single, rng = SINGLE[act](**keywords), np.random.default_rng(1)
    vector = VECTOR[act](3, autoreset_mode="NextStep", **keywords)
    vector.reset(seed=9)
    single.reset(seed=5)
    follow(single, [draw_actions(rng, act) for _ in range(7)])
    vector.set_state(1, single.get_state())
    back = SINGLE[act](**keywords)
    back.set_state(vector.get_state(1))
    for action in [draw_actions(rng, act) for _ in range(10)]:
        result, own, returned = (
            vector.step([draw_actions(rng, act), action, action]),
            single.step(action),
            back.step(action),
        )
        assert_same(own, returned)
        np.testing.assert_array_equal(result[0]["tokens"][1], own[0]["tokens"])
        assert (result[1][1], result[2][1]) == (own[1], own[2])
        if own[2]:
            break


def test_forks_do_not_touch_each_other():
    env = TokenVectorEnv(2, **small("Token", **DENSE))
    env.reset(seed=1, options={"prefix": "x = 1\n"})
    env.step([97, 98])
    env.set_state(1, env.get_state(0))
    env.step(np.array([10, 99]))
    assert [env.batch.text(slot) for slot in (0, 1)] == ["x = 1\na\n", "x = 1\nac"]
    assert [len(env.batch.dynamics.episodes[slot].lines) for slot in (0, 1)] == [2, 1]


@pytest.mark.parametrize("fails", [False, True])
def test_the_state_of_an_ended_episode_can_be_looked_at_but_not_stepped(fails):
    env = TokenEnv(**small("Token", sandbox=FailingAtTimes()), render_mode="ansi")
    env.reset(seed=1)
    for token in b"# x\n" if fails else b"x\n":
        env.step(token)
    assert env.step(EOS)[3] is fails
    shown, state = env.render(), pickle.loads(pickle.dumps(env.get_state()))
    other = TokenEnv(**small("Token", sandbox=FailingAtTimes()), render_mode="ansi")
    other.set_state(state)
    assert (other.render(), other.text) == (shown, env.text)
    with pytest.raises(ResetNeeded):
        other.step(97)
    assert_same(other.reset(), env.reset())  # the generator goes on


def test_an_ended_state_in_a_slot_is_reset_as_the_mode_says():
    single = TokenEnv(**small("Token"))
    single.reset(seed=2)
    single.step(EOS)
    vector = TokenVectorEnv(1, autoreset_mode="NextStep", **small("Token"))
    vector.reset(seed=5)
    vector.set_state(0, single.get_state())
    assert vector.step([97])[-1]["task_id"][0] == single.reset()[1]["task_id"]
    vector = TokenVectorEnv(1, **small("Token"))
    vector.reset(seed=5)
    vector.set_state(0, single.get_state())
    assert vector.step([97])[0]["length"][0] == vector.step([97])[0]["length"][0] - 1


def test_there_is_no_state_before_reset():
    with pytest.raises(ResetNeeded, match="call reset first"):
        TokenEnv(**small("Token")).get_state()


@pytest.mark.parametrize(
    "keywords", [{"max_tokens": 5}, {"max_prompt_tokens": 5}, {"max_tokens": 5, "max_prompt_tokens": 300}]
)
def test_a_state_that_does_not_fit_is_a_clear_error(keywords):
    env = TokenEnv(**small("Token"))
    env.reset(seed=1)
    for token in b"x = 12":
        env.step(token)
    other = TokenEnv(**small("Token") | keywords)
    with pytest.raises(ValueError, match="state too large"):
        other.set_state(env.get_state())


def test_a_recorded_list_of_actions_replays():
    env = TokenEnv(**small("Token", **DENSE))
    rng = np.random.default_rng(4)
    actions = [draw_actions(rng, "Token") for _ in range(60)]
    results = []
    for _ in range(2):
        results.append([env.reset(seed=11), *follow(env, actions)])
    assert_same(results[0], results[1])
