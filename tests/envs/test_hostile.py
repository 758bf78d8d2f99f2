"""Hostile actions and prefixes are clear errors or defined behaviour; random episodes of every id end well.

Set ``CODEGYM_ALL=1`` to play 10,000 episodes of every id.
"""

from __future__ import annotations

import os

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.envs.registration import registry
from gymnasium.error import ResetNeeded
from helpers.env_play import AWKWARD, AWKWARD_TASKS, EOS, SINGLE, VECTOR, draw_actions, small
from helpers.env_rows import write_rows

from codegym.envs.env import LineEnv, TokenEnv
from codegym.envs.vector import LineVectorEnv, TokenVectorEnv
from codegym.errors import InvalidAction

IDS = sorted(env_id for env_id, spec in registry.items() if spec.namespace == "codegym")
NUM_EPISODES = 10_000 if os.environ.get("CODEGYM_ALL") == "1" else 200


def test_an_invalid_action_is_an_error_and_changes_nothing():
    env = TokenEnv(sandbox="fake")
    env.reset(seed=1)
    env.step(ord("x"))
    with pytest.raises(InvalidAction, match="no such token: got 257; expected an id from 0 to 256"):
        env.step(257)
    assert env.text == "x"
    assert env.step(ord("y"))[0]["length"] == env.batch.dynamics.prompt_lengths[0] + 2


HUGE = 2**70
NOT_A_TOKEN = [
    *(-1, 257, HUGE, -HUGE, np.int64(-1), np.uint64(2**64 - 1)),
    *(True, np.True_, 1.0, 1.5, float("nan"), np.float32(1), np.nan, 1j),
    *(
        None,
        "x",
        "",
        b"x",
        [],
        [97],
        (97,),
        [97, 98],
        {},
        {97},
        object(),
        np.array([97]),
        np.array([[97]]),
        np.array("x"),
    ),
]
NOT_A_LINE = [
    *(-1, 97, HUGE, True, 1.0, float("nan"), None, b"x", {}, {97}, object()),
    *([], (), [257], [-1], [97, HUGE], [97.0], [float("nan")], [True], [None], ["x"], [[97]], [[97], [97, 98]]),
    *(np.array(97), np.array([97.0]), np.array([[97]]), np.array([], int), np.zeros((2, 2), int), np.array([True])),
    *("\ud800", "x = '\udfff'\n"),
]
NOT_TOKENS = [
    *(97, None, "xyz", 1.0, [], [97], [97, 98], [97, 98, 99, 100], [[97, 98, 99]], [97, [98], 99], [97, None, 99]),
    *([97, 98, -1], [97, 98, 257], [97, 98, HUGE], [97, 98, float("nan")], [97.0, 98.0, 99.0], [True] * 3, ["x"] * 3),
    *(
        np.zeros((3, 1), int),
        np.zeros(3),
        np.zeros(3, bool),
        np.full(3, np.nan),
        np.array(["x"] * 3),
        {0: 1, 1: 2, 2: 3},
    ),
]
NOT_LINES = [
    *(
        97,
        None,
        "xyz",
        1.0,
        [],
        ["x"],
        ["x"] * 4,
        [97, 98, 99],
        [[97], [98], [257]],
        [[97], [98], []],
        [[97], [98], None],
    ),
    *([[97], [98], [1.0]], ["x", "y", "\ud800"], np.zeros((3, 2)), np.zeros((2, 3), int), np.zeros(3, int)),
    *({0: "x", 1: "y", 2: "z"}, {"x", "y", "z"}, b"xyz"),
]


def name_of(value):
    """A name that is the same in every process: no address, no order of a set."""
    return type(value).__name__ if type(value) in (set, object) else getattr(value, "__name__", ascii(value))


@pytest.mark.parametrize(
    ("make", "action"),
    [(TokenEnv, action) for action in NOT_A_TOKEN] + [(LineEnv, action) for action in NOT_A_LINE],
    ids=name_of,
)
def test_what_is_no_action_is_refused(make, action):
    env = make(**small(make.__name__[:-3]))
    env.reset(seed=1)
    env.step(97 if make is TokenEnv else "a")
    before = env.get_state()
    with pytest.raises(InvalidAction) as caught:
        env.step(action)
    assert len(str(caught.value)) < 300
    np.testing.assert_array_equal(env.get_state().context, before.context)
    env.step(98 if make is TokenEnv else "b")
    assert env.text == "ab"


@pytest.mark.parametrize(
    ("make", "actions"),
    [(TokenVectorEnv, actions) for actions in NOT_TOKENS] + [(LineVectorEnv, actions) for actions in NOT_LINES],
    ids=name_of,
)
def test_what_are_no_actions_are_refused(make, actions):
    env = make(3, **small(make.__name__[:-9]))
    env.reset(seed=1)
    with pytest.raises(InvalidAction) as caught:
        env.step(actions)
    assert len(str(caught.value)) < 300
    assert [env.batch.text(slot) for slot in range(3)] == [""] * 3
    env.step([97, 98, 99] if make is TokenVectorEnv else ["a", "b", "c"])
    assert [env.batch.text(slot) for slot in range(3)] == ["a", "b", "c"]


@pytest.mark.parametrize("action", [97, np.int8(97), np.uint64(97), np.int64(97), np.array(97)], ids=repr)
def test_every_kind_of_whole_number_is_a_token(action):
    env = TokenEnv(**small("Token"))
    env.reset(seed=1)
    env.step(action)
    assert env.text == "a"


# --- when there is no episode ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("act", ["Token", "Line"])
def test_stepping_before_reset_or_after_the_end_is_an_error(act):
    env = SINGLE[act](**small(act))
    action = EOS if act == "Token" else ""
    with pytest.raises(ResetNeeded, match="call reset first"):
        env.step(action)
    env.reset(seed=1)
    assert env.step(action)[2]
    for _ in range(2):
        with pytest.raises(ResetNeeded, match="call reset first"):
            env.step(action)
    assert env.text == ""
    env.reset()
    assert env.step(action)[2]


# --- text that is none ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("prefix", "message"),
    [
        ("\ud800", "lone surrogate"),
        ([257], "no such token: got 257"),
        ([-1], "no such token: got -1"),
        ([97.0], "whole numbers"),
        ([EOS], "prefix ends the program"),
        ([97, EOS, 97], "prefix ends the program"),
        ("x" * 40, "prefix too long: got 40 tokens; expected fewer than max_tokens=40"),
        ("x" * 10**6, "prefix too long"),
        (3, "a sequence of ids"),
    ],
    ids=lambda value: ascii(value)[:30],
)
@pytest.mark.parametrize("act", ["Token", "Line"])
def test_a_prefix_that_is_none_is_a_clear_error_and_the_episode_stands(act, prefix, message):
    env = SINGLE[act](**small(act))
    env.reset(seed=1, options={"prefix": "x = "})
    with pytest.raises(ValueError, match=message):
        env.reset(options={"prefix": prefix})
    assert env.text == "x = "
    env.step(97 if act == "Token" else "a")
    assert env.text == "x = a"


@pytest.mark.parametrize(
    ("tokens", "text"),
    [
        (b"\xff\n", "\ufffd\n"),
        (b"\xc3", "\ufffd"),
        (b"\xc3\xa9", "é"),
        (b"\xc3\n\xa9", "\ufffd\n\ufffd"),
        (b"\xed\xa0\x80", "\ufffd\ufffd\ufffd"),
        (b"\xf0\x9f\x99\x82", "\U0001f642"),
        (b"a\0b\n", "a\0b\n"),
        (b"a\r\nb\rc\x0c\x85", "a\r\nb\rc\x0c\ufffd"),
    ],
)
def test_bytes_that_are_no_text_become_replacement_characters_in_the_program(tokens, text):
    env = TokenEnv(sandbox="fake")
    env.reset(seed=1)
    for token in [*tokens, EOS]:
        info = env.step(token)[-1]
    assert info["text"] == text
    assert info["verdict"].status.value == "wrong_answer"


@pytest.mark.parametrize("text", ["x" * 10**6, "\n" * 10**5, "# é\n" * 10**5, "(" * 10**5], ids=lambda text: text[:3])
def test_a_huge_text_fills_the_budget_and_ends_the_program(text):
    env = LineEnv(sandbox="fake", max_tokens=512)
    env.reset(seed=1)
    _, reward, terminated, truncated, info = env.step(text)
    assert (terminated, truncated, info["budget_exhausted"], info["num_tokens"]) == (True, False, True, 512)
    assert len(info["text"].encode()) <= 514  # half a character at the end may have become U+FFFD
    with pytest.raises(ResetNeeded):
        env.step("x")


def test_a_huge_line_costs_what_it_is_long():
    env = TokenEnv(sandbox="fake", max_tokens=200_000, mask=None)
    env.reset(seed=1, options={"prefix": "x" * 199_990})
    for _ in range(9):
        assert not env.step(97)[2]
    assert env.step(97)[4]["budget_exhausted"]


# --- anything at random ---------------------------------------------------------------------------------------------


def play(env, act, episodes, draw):
    """Play until so many episodes have ended."""
    env.reset(seed=0)
    ended = 0
    while ended < episodes:
        observations, rewards, terminations, truncations, _ = env.step(draw())
        assert np.isfinite(rewards).all()
        assert not truncations.any()
        assert (observations["length"] > 0).all()
        ended += int(terminations.sum())
    env.close()
    return ended


@pytest.mark.parametrize("env_id", IDS)
def test_random_episodes_of_every_id_end_without_an_exception(env_id, tmp_path):
    act = "Token" if "Token" in env_id else "Line"
    tasks = registry[env_id].kwargs.get("tasks")
    keywords = {} if tasks is None else {"path": write_rows(tmp_path, tasks)}
    keywords |= {"reward": "outcome + 0.5*process + psgpo + rltf_fine", "line_scorer": "fake", "max_tokens": 60}
    env = gym.make_vec(env_id, num_envs=50, sandbox="fake", **keywords)
    rng = np.random.default_rng(0)
    room = env.single_action_space.shape[0] if act == "Line" else 0
    ended = play(env, act, NUM_EPISODES, lambda: draw_actions(rng, act, 50, room))
    assert ended >= NUM_EPISODES
    assert play(env, act, 50, env.action_space.sample) >= 50


@pytest.mark.parametrize("mask", ["text", "completable", None])
@pytest.mark.parametrize("act", ["Token", "Line"])
def test_random_episodes_with_awkward_tokens_end_without_an_exception(act, mask):
    keywords = small(
        act, tokenizer=AWKWARD, tasks=AWKWARD_TASKS, mask=mask, line_scorer="fake", reward="outcome + potential"
    )
    env, rng = VECTOR[act](20, **keywords), np.random.default_rng(0)
    play(env, act, NUM_EPISODES, lambda: draw_actions(rng, act, 20, 8, awkward=True))
