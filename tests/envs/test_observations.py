"""Observations of the form "one_hot": what generic learners for vectors need."""

from __future__ import annotations

import gymnasium as gym
import numpy as np
import pytest
from helpers.env_play import EOS, SINGLE, VECTOR, draw_actions, small
from stable_baselines3 import PPO


def test_an_observation_can_be_the_last_tokens_as_zeros_and_ones():
    env = gym.make("codegym/Token-v0", sandbox="fake", observation="one_hot", window=2)
    env.reset(seed=1)
    env.step(ord("x"))
    observation = env.step(ord("="))[0]
    assert observation.shape == env.observation_space.shape == (2 * 257,)
    assert np.flatnonzero(observation).tolist() == [ord("x"), 257 + ord("=")]
    assert env.observation_space.contains(observation)


def test_places_before_the_prompt_are_zero():
    env = SINGLE["Token"](**small("Token", observation="one_hot", window=100))
    observation, info = env.reset(seed=1)
    blocks = observation.reshape(100, 257)
    written = [blocks[place].argmax() for place in range(100) if blocks[place].any()]
    assert bytes(written).decode() == info["prompt"][-80:]
    assert not blocks[: 100 - len(written)].any()


@pytest.mark.parametrize("act", ["Token", "Line"])
@pytest.mark.parametrize("mode", ["SameStep", "NextStep"])
def test_slots_of_a_vector_see_what_single_environments_see(act, mode):
    keywords = small(act, observation="one_hot", window=4)
    vector, rng = VECTOR[act](2, autoreset_mode=mode, **keywords), np.random.default_rng(0)
    singles = [SINGLE[act](**keywords) for _ in range(2)]
    vector.reset(seed=3)
    for slot, env in enumerate(singles):
        env.reset(seed=3 + slot)
    for _ in range(10):
        actions = draw_actions(rng, act, 2)
        observations, _, terminations, truncations, _ = vector.step(actions)
        seen = [env.step(action)[0] for env, action in zip(singles, actions, strict=True)]
        if (terminations | truncations).any():
            break
        np.testing.assert_array_equal(observations, seen)
    assert vector.observation_space.contains(observations)


def test_the_last_observation_of_an_episode_has_the_same_form():
    vector = VECTOR["Token"](1, **small("Token", observation="one_hot", window=1))
    vector.reset(seed=1)
    infos = vector.step([EOS])[-1]
    assert np.flatnonzero(infos["final_obs"][0]).tolist() == [EOS]


def test_a_stock_learner_for_vectors_runs_in_a_line():
    env = gym.make("codegym/Token-v0", sandbox="fake", observation="one_hot", max_tokens=8)
    assert PPO("MlpPolicy", env, n_steps=16, batch_size=16, n_epochs=1, device="cpu").learn(32).num_timesteps == 32
