"""How episodes end, and that Gymnasium's own wrappers work on top."""

from __future__ import annotations

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.wrappers import (
    ClipReward,
    FlattenObservation,
    NormalizeReward,
    RecordEpisodeStatistics,
    RecordVideo,
    TimeLimit,
    TransformReward,
)
from gymnasium.wrappers import vector as vector_wrappers
from helpers.env_play import EOS, SINGLE, draw_actions, small

GOLD = b"def f(x):\n    x = x * 3\n    x = x + 2\n    return x\n"
OPTIONS = {"task_id": "arithmetic:*3+2"}


def write(env, tokens):
    for token in tokens:
        result = env.step(token)
    return result


def test_the_end_of_sequence_token_terminates():
    env = gym.make("codegym/Token-v0", sandbox="fake")
    env.reset(seed=1, options=OPTIONS)
    _, reward, terminated, truncated, info = write(env, [*GOLD, EOS])
    assert (reward, terminated, truncated) == (1.0, True, False)
    assert (info["budget_exhausted"], info["num_tokens"]) == (False, 51 + 1)


def test_d2_a_full_budget_terminates_and_is_judged():
    env = gym.make("codegym/Token-v0", sandbox="fake", max_tokens=len(GOLD))
    env.reset(seed=1, options=OPTIONS)
    _, reward, terminated, truncated, info = write(env, GOLD)
    assert (reward, terminated, truncated) == (1.0, True, False)
    assert (info["budget_exhausted"], info["num_tokens"]) == (True, 51)


def test_the_end_of_sequence_as_the_last_token_of_the_budget_is_no_exhausted_budget():
    env = gym.make("codegym/Token-v0", sandbox="fake", max_tokens=len(GOLD) + 1)
    env.reset(seed=1, options=OPTIONS)
    assert write(env, [*GOLD, EOS])[-1]["budget_exhausted"] is False


def test_a_program_that_ends_after_a_newline_or_without_is_another_program():
    env = gym.make("codegym/Token-v0", sandbox="fake")
    env.reset(seed=1, options=OPTIONS)
    _, reward, _, _, info = write(env, [*GOLD[:-1], EOS])
    assert (reward, info["text"]) == (0.0, GOLD[:-1].decode())


def test_only_a_limit_from_outside_truncates():
    env = TimeLimit(gym.make("codegym/Token-v0", sandbox="fake"), 5)
    env.reset(seed=1, options=OPTIONS)
    observation, reward, terminated, truncated, info = write(env, GOLD[:5])
    assert (reward, terminated, truncated) == (0.0, False, True)
    assert "verdict" not in info  # nothing was judged: a learner bootstraps from the observation
    assert bytes(observation["tokens"][observation["prompt_length"][0] :][:5].tolist()) == GOLD[:5]
    env.reset()
    assert write(env, [97, EOS])[2:4] == (True, False)


@pytest.mark.parametrize("act", ["Token", "Line"])
def test_no_id_has_a_limit_of_steps(act):
    assert gym.spec(f"codegym/{act}-v0").max_episode_steps is None


# --- wrappers -------------------------------------------------------------------------------------------------------


def test_statistics_of_episodes_are_recorded():
    env = RecordEpisodeStatistics(gym.make("codegym/Token-v0", sandbox="fake"))
    env.reset(seed=1, options=OPTIONS)
    episode = write(env, [*GOLD, EOS])[-1]["episode"]
    assert (episode["r"], episode["l"]) == (1.0, 52)


def test_rewards_are_scaled_clipped_and_normalised_by_wrappers():
    keywords = {"sandbox": "fake", "reward": "5*outcome"}
    for wrap, wanted in (
        (lambda env: ClipReward(env, -1.0, 1.0), 1.0),
        (lambda env: TransformReward(env, lambda reward: reward / 10), 0.5),
    ):
        env = wrap(gym.make("codegym/Token-v0", **keywords))
        env.reset(seed=1, options=OPTIONS)
        assert write(env, [*GOLD, EOS])[1] == wanted
    env = NormalizeReward(gym.make("codegym/Token-v0", **keywords))
    env.reset(seed=1, options=OPTIONS)
    assert 0 < write(env, [*GOLD, EOS])[1] < np.inf


def test_observations_can_be_flattened():
    env = FlattenObservation(gym.make("codegym/Line-v0", **small("Line")))
    observation, _ = env.reset(seed=1)
    assert observation.shape == (122,) and env.observation_space.contains(observation)


@pytest.mark.parametrize("act", ["Token", "Line"])
def test_vector_wrappers_work(act):
    env = gym.make_vec(f"codegym/{act}-v0", num_envs=3, **small(act))
    env = vector_wrappers.ClipReward(vector_wrappers.RecordEpisodeStatistics(env), 0.0, 1.0)
    env.reset(seed=1)
    rng, seen = np.random.default_rng(0), 0
    for _ in range(100):
        _, rewards, terminations, _, infos = env.step(draw_actions(rng, act, 3))
        seen += int(infos.get("_episode", np.zeros(3)).sum()) if "episode" in infos else 0
        assert ((rewards >= 0) & (rewards <= 1)).all()
    assert seen >= 5


# --- pictures -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("act", ["Token", "Line"])
def test_every_render_mode_shows_the_program(act, capsys):
    shown = {}
    for mode in ("ansi", "human", "rgb_array", None):
        env = SINGLE[act](render_mode=mode, **small(act, line_scorer="fake", reward="outcome + process"))
        env.reset(seed=1)
        for action in [*b"x = 1\n", EOS] if act == "Token" else ["x = 1\n", ""]:
            env.step(action)
        shown[mode] = env.render()
    assert "x" in shown["ansi"] and shown["human"] is None and shown[None] is None
    assert "x" in capsys.readouterr().out
    assert shown["rgb_array"].dtype == np.uint8 and shown["rgb_array"].shape[2] == 3


def test_pictures_of_one_episode_have_one_size():
    env = SINGLE["Token"](render_mode="rgb_array", **small("Token"))
    env.reset(seed=1)
    shapes = {env.render().shape}
    for token in b"x = 1\n\n\nyyyyyyyyyyyyyyyyyy\n":
        env.step(token)
        shapes.add(env.render().shape)
    assert len(shapes) == 1  # a video has


def test_a_video_is_recorded(tmp_path):
    pytest.importorskip("moviepy", reason="RecordVideo needs moviepy, which is not installed")
    folder = tmp_path / "videos"
    env = RecordVideo(gym.make("codegym/Line-v0", sandbox="fake", render_mode="rgb_array"), str(folder))
    env.reset(seed=1)
    for line in ["def f(x):\n", "    return x\n", ""]:
        env.step(line)
    env.close()
    assert [file.stat().st_size > 0 for file in folder.glob("*.mp4")] == [True]


@pytest.mark.parametrize("act", ["Token", "Line"])
def test_an_episode_is_saved_as_a_page(act, tmp_path):
    env = SINGLE[act](**small(act))
    env.reset(seed=1)
    env.step(97 if act == "Token" else "a")
    page = env.save_html(tmp_path / "episode.html").read_text("utf-8")
    assert "<html" in page
    assert "http://" not in page and "https://" not in page  # self-contained
