"""What a newcomer tries on the first day: help, typos, pickles, states of others, wrappers of Gymnasium."""

from __future__ import annotations

import copy
import inspect
import pickle
from dataclasses import fields
from typing import get_type_hints

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.wrappers.vector import FlattenObservation, NormalizeObservation, RecordEpisodeStatistics
from helpers.env_play import AWKWARD_TASKS, EOS, VECTOR, assert_same, draw_actions, small

import codegym.envs
from codegym.envs.config import EnvConfig, EnvKeywords, LineEnvConfig
from codegym.envs.env import LineEnv, TokenEnv
from codegym.envs.vector import LineVectorEnv, TokenVectorEnv


def test_the_signature_of_an_environment_shows_its_keywords():
    parameters = inspect.signature(TokenEnv).parameters
    assert parameters["max_tokens"].default == 512
    assert [*parameters] == ["render_mode", *(field.name for field in fields(EnvConfig))]
    assert "max_line_tokens" in inspect.signature(LineEnv).parameters
    assert [*inspect.signature(TokenVectorEnv).parameters][:3] == ["num_envs", "autoreset_mode", "copy"]
    assert "max_line_tokens" in inspect.signature(LineVectorEnv).parameters


def test_type_checkers_know_every_keyword():
    assert get_type_hints(EnvKeywords).keys() == {field.name for field in fields(LineEnvConfig)}


def test_the_docstring_explains_every_keyword():
    for name in inspect.signature(TokenEnv).parameters:
        assert f"| {name} |" in TokenEnv.__doc__, name


# --- pickles ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("act", ["Token", "Line"])
def test_a_pickled_environment_continues_its_episode(act):
    env = gym.make(f"codegym/{act}-v0", **small(act, reward="outcome + 0.5*process", line_scorer="fake"))
    rng = np.random.default_rng(0)
    assert pickle.loads(pickle.dumps(env)).spec == env.spec  # before the first reset, too
    env.reset(seed=4)
    env.step(draw_actions(rng, act))
    other = pickle.loads(pickle.dumps(env))
    for action in [draw_actions(rng, act) for _ in range(20)]:
        result = env.step(action)
        assert_same(other.step(action), result)
        if result[2]:
            assert_same(other.reset(), env.reset())


@pytest.mark.parametrize("act", ["Token", "Line"])
@pytest.mark.parametrize("mode", ["SameStep", "NextStep"])
def test_a_pickled_vector_environment_continues_its_episodes(act, mode):
    env, rng = VECTOR[act](3, autoreset_mode=mode, **small(act)), np.random.default_rng(0)
    env.reset(seed=4)
    for _ in range(5):
        env.step(draw_actions(rng, act, 3))
    other = pickle.loads(pickle.dumps(env))
    for actions in [draw_actions(rng, act, 3) for _ in range(40)]:
        assert_same(other.step(actions), env.step(actions))


def test_an_environment_can_be_copied():
    env = TokenEnv(**small("Token"))
    env.reset(seed=1)
    env.step(ord("x"))
    other = copy.deepcopy(env)
    other.step(ord("y"))
    assert (env.text, other.text) == ("x", "xy")


# --- states -----------------------------------------------------------------------------------------------------------


def test_a_state_of_another_tokenizer_is_refused():
    env = TokenEnv(**small("Token"))
    env.reset(seed=1)
    other = TokenEnv(**small("Token", tokenizer=["a", "\n"], tasks=AWKWARD_TASKS[0]))
    with pytest.raises(ValueError, match="state of another tokenizer"):
        other.set_state(env.get_state())
    with pytest.raises(TypeError, match="wrong type of state: got dict"):
        env.set_state({})


# --- Gymnasium's own vector wrappers --------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", ["SameStep", "NextStep"])
def test_statistics_work_with_both_modes_of_reset(mode):
    env = RecordEpisodeStatistics(gym.make_vec("codegym/Token-v0", num_envs=2, autoreset_mode=mode, **small("Token")))
    env.reset(seed=1)
    infos = env.step(np.array([EOS, ord("x")]))[-1]
    assert infos["episode"]["l"].tolist() == [1, 0]


@pytest.mark.parametrize("wrap", [FlattenObservation, NormalizeObservation])
def test_observation_wrappers_want_the_mode_that_gymnasium_has_by_default(wrap):
    keywords = {"num_envs": 2, **small("Token", observation="one_hot", window=2)}
    with pytest.raises((ValueError, AssertionError), match="NEXT_STEP"):
        wrap(gym.make_vec("codegym/Token-v0", **keywords))
    env = wrap(gym.make_vec("codegym/Token-v0", autoreset_mode="NextStep", **keywords))
    env.reset(seed=1)
    for _ in range(4):
        observations = env.step(np.array([EOS, ord("x")]))[0]
    assert observations.shape == (2, 514) and np.isfinite(observations).all()


def test_the_mode_of_reset_goes_to_gymnasiums_vectors_by_vector_kwargs():
    mode = gym.vector.AutoresetMode.SAME_STEP
    keywords = {"vectorization_mode": "sync", "vector_kwargs": {"autoreset_mode": mode}, **small("Token")}
    env = gym.make_vec("codegym/Token-v0", num_envs=2, **keywords)
    assert env.metadata["autoreset_mode"] is mode
    env.reset(seed=1)
    assert env.step(np.array([EOS, EOS]))[-1]["final_info"]["is_success"].tolist() == [False, False]


# --- plug-ins and names ---------------------------------------------------------------------------------------------


def test_packages_of_programs_reach_the_sandbox():
    env = TokenEnv(sandbox="process", packages=["numpy"])
    assert env.batch.judge.settings.packages == ("numpy",)


def test_objects_are_named_by_module_and_object_wherever_a_name_is_taken():
    scorer = "codegym.scorers.base:FakeLineScorer"
    names = {"tasks": "helpers.make_steps:TASK", "tokenizer": "codegym.tokenizers:ByteTokenizer"}
    env = TokenEnv(sandbox="codegym.sandbox:ProcessSandbox", line_scorer=scorer, **names)
    assert env.reset(seed=1)[1]["task_id"] == "double"
    assert env.batch.judge.settings.backend == "codegym.sandbox:ProcessSandbox"


@pytest.mark.parametrize("name", codegym.envs.__all__)
def test_the_package_exports_its_names(name):
    assert getattr(codegym.envs, name).__doc__ and name in dir(codegym.envs)
