"""Stable-Baselines3 sees in the native vector environment what it sees in its own vector of single ones."""

from __future__ import annotations

import gymnasium as gym
import numpy as np
import pytest

pytest.importorskip("sb3_contrib")
from helpers.env_judges import PASSED, FailingAtTimes, JudgeSays, made
from helpers.env_play import EOS, SINGLE, TASK, VECTOR, draw_actions, small
from sb3_contrib import MaskablePPO
from sb3_contrib.common.maskable.utils import get_action_masks, is_masking_supported
from stable_baselines3 import PPO
from stable_baselines3.common.env_checker import check_env
from stable_baselines3.common.evaluation import evaluate_policy
from stable_baselines3.common.monitor import Monitor
from stable_baselines3.common.vec_env import DummyVecEnv

from codegym.adapters.sb3 import SB3VecEnv
from codegym.errors import SandboxError
from codegym.rewards import REWARDS, ScoresNeeded

DENSE = {"reward": "outcome + 0.5*process + 0.1*length_penalty", "line_scorer": "fake"}
ACTS = ["Token", "Line"]


def adapted(act="Token", num_envs=3, **keywords):
    return SB3VecEnv(VECTOR[act](num_envs, **small(act, **keywords)))


def play(envs, act, steps, seed=0):
    """Play at random; the infos of all episodes that ended."""
    rng = np.random.default_rng(seed)
    for _ in range(steps):
        _, _, dones, infos = envs.step(draw_actions(rng, act, envs.num_envs))
        yield from (infos[slot] for slot in np.flatnonzero(dones))


def test_ppo_takes_the_adapter():
    envs = SB3VecEnv(gym.make_vec("codegym/Token-v0", num_envs=4, **small("Token")))
    model = PPO("MultiInputPolicy", envs, n_steps=16, batch_size=32).learn(64)
    assert model.num_timesteps == 64


def test_ppo_takes_the_single_environment():
    env = gym.make("codegym/Token-v0", **small("Token"))
    check_env(env)
    PPO("MultiInputPolicy", env, n_steps=16, batch_size=16).learn(16)


@pytest.mark.parametrize("act", ACTS)
def test_all_is_as_in_sb3s_own_vector_of_single_environments(act):
    ours = adapted(act, **DENSE)
    theirs = DummyVecEnv([lambda: Monitor(SINGLE[act](**small(act, **DENSE)))] * 3)
    for envs in (ours, theirs):
        envs.seed(5)
        envs.set_options({"prefix": "x = "})
    np.testing.assert_equal(ours.reset(), theirs.reset())
    np.testing.assert_equal(ours.reset_infos, theirs.reset_infos)
    rng, ended = np.random.default_rng(0), 0
    for _ in range(150):
        actions = draw_actions(rng, act, 3)
        (observations, rewards, dones, infos), their_step = ours.step(actions), theirs.step(actions)
        np.testing.assert_equal(observations, their_step[0])
        np.testing.assert_array_equal(rewards.astype(np.float32), their_step[1])
        np.testing.assert_array_equal(dones, their_step[2])
        for info, theirs_info in zip(infos, their_step[3], strict=True):
            ended += "episode" in info
            info.pop("action_credit", None)
            for each in (info, theirs_info):
                each.setdefault("TimeLimit.truncated", False)  # Gymnasium's wrappers say it at every step
                each.get("episode", {}).pop("t", None)
                each.get("episode", {}).update(r=round(each.get("episode", {}).get("r", 0), 6))
            np.testing.assert_equal(info, theirs_info)
        np.testing.assert_equal(ours.reset_infos, theirs.reset_infos)
    assert ended > 5


def test_terminal_observation_is_the_one_before_the_reset():
    envs = adapted(num_envs=1)
    envs.reset()
    envs.step([ord("x")])
    observation, _, _, (info,) = envs.step([EOS])
    (start,) = info["terminal_observation"]["prompt_length"]
    assert info["terminal_observation"]["tokens"][start : start + 2].tolist() == [ord("x"), EOS]
    assert observation["length"] == observation["prompt_length"]


@pytest.mark.parametrize(
    "keywords", [{"autoreset_mode": "NextStep"}, {"autoreset_mode": "Disabled"}, {"overlap": True}, {"copy": False}]
)
def test_what_sb3_would_learn_wrongly_from_is_refused(keywords):
    with pytest.raises(ValueError, match="VecEnv|Stable-Baselines3"):
        adapted(**keywords)


def test_an_episode_that_could_not_be_judged_is_truncated_and_enters_no_mean():
    envs = adapted(num_envs=1, tasks=TASK, sandbox=FailingAtTimes("#"))
    envs.reset()
    envs.step([ord("#")])
    _, _, dones, (info,) = envs.step([EOS])
    assert dones[0] and info["TimeLimit.truncated"] and not info["reward_valid"]
    assert not {"episode", "is_success"} & info.keys()
    _, _, dones, (info,) = envs.step([EOS])
    assert dones[0] and not info["TimeLimit.truncated"] and info["episode"]["l"] == 1 and "is_success" in info


def test_evaluation_waits_for_episodes_that_could_be_judged():
    class FailsAtFirst(JudgeSays):
        def submit(self, task, completion):
            answer = super().submit(task, completion)
            return made(SandboxError("the machine failed")) if len(self.programs) == 1 else answer

    envs = adapted(num_envs=1, tasks=TASK, sandbox=FailsAtFirst(PASSED))
    model = PPO("MultiInputPolicy", envs, n_steps=8, batch_size=8)
    assert evaluate_policy(model, envs, 3, return_episode_rewards=True)[0] == [1.0, 1.0, 1.0]


@pytest.mark.parametrize("act", ACTS)
@pytest.mark.parametrize("prefix", ["", "x = (1 +\n  # c\n"])
@pytest.mark.parametrize("name", REWARDS)
def test_credit_of_actions_has_the_total_of_the_stream(act, prefix, name):
    needy = REWARDS[name]().scores is not ScoresNeeded.NEVER
    envs = adapted(act, reward=name, line_scorer="fake" if needy else None)
    envs.set_options({"prefix": prefix})
    envs.reset()
    infos = list(play(envs, act, 40 if act == "Line" else 130))
    assert len(infos) > 3
    for info in infos:
        assert len(info["action_credit"]) == info["episode"]["l"]
        assert info["action_credit"].sum() == pytest.approx(info["episode"]["r"])


def test_maskable_ppo_gets_the_masks():
    envs = adapted()
    envs.reset()
    assert is_masking_supported(envs)
    np.testing.assert_array_equal(get_action_masks(envs), envs.vector_env.action_masks())
    MaskablePPO("MultiInputPolicy", envs, n_steps=16, batch_size=16).learn(16)


def test_masks_of_lines_cover_every_token_of_an_action():
    envs = adapted("Line", num_envs=1)
    envs.reset()
    assert get_action_masks(envs).shape == (1, 8 * 257)
    MaskablePPO("MultiInputPolicy", envs, n_steps=8, batch_size=8).learn(8)


def test_options_are_for_one_reset_and_may_differ_between_slots():
    envs = adapted(num_envs=2, tasks=TASK)
    envs.set_options([{"prefix": "x"}, {}])
    envs.reset()
    assert [info["text"] for info in envs.reset_infos] == ["x", ""]
    envs.reset()
    assert [info["text"] for info in envs.reset_infos] == ["", ""]


def test_states_and_attributes_are_reached_slot_by_slot():
    envs = adapted(num_envs=2, tasks=TASK)
    envs.reset()
    (state,) = envs.env_method("get_state", indices=1)
    envs.step([ord("x")] * 2)
    envs.env_method("set_state", state, indices=[1])
    assert envs.vector_env.batch.text(1) == "" and envs.vector_env.batch.text(0) == "x"
    assert envs.get_attr("render_mode") == [None, None]
    for call in (lambda: envs.env_method("reset"), lambda: envs.set_attr("copy", False)):
        with pytest.raises(AttributeError, match="vector_env"):
            call()


def test_pictures_come_tiled():
    envs = adapted(num_envs=2, render_mode="rgb_array")
    envs.reset()
    assert envs.render().ndim == 3
    envs.close()
