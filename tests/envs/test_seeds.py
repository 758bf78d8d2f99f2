"""Same seed, same episodes: in every kind of environment, and in every process whatever its hash seed."""

from __future__ import annotations

import functools
import os
import random
import subprocess
import sys
from pathlib import Path

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.vector import AsyncVectorEnv, SyncVectorEnv
from helpers.env_play import EOS, SINGLE, assert_same, draw_actions, small

from codegym.envs.env import TokenEnv
from codegym.envs.vector import TokenVectorEnv

ROOT = Path(__file__).resolve().parents[2]


def tasks(env, seed, episodes=6):
    """Tasks of the episodes after one seed."""
    found = [env.reset(seed=seed)[1]["task_id"]]
    while len(found) < episodes:
        env.step(EOS)
        found.append(env.reset()[1]["task_id"])
    return found


def test_a_seed_gives_its_episodes_again():
    env = TokenEnv(**small("Token"))
    first = tasks(env, 7)
    assert tasks(env, 7) == tasks(TokenEnv(**small("Token")), 7) == first
    assert tasks(env, 8) != first


def test_vectors_of_every_kind_draw_the_same_tasks():
    make = functools.partial(TokenEnv, **small("Token"))
    native = TokenVectorEnv(3, autoreset_mode="NextStep", **small("Token"))
    synced = SyncVectorEnv([make] * 3)
    processes = AsyncVectorEnv([make] * 3, context="spawn")
    wanted = [tasks(make(), 20 + slot) for slot in range(3)]
    for env in (native, synced, processes):
        found = [list(env.reset(seed=20)[1]["task_id"])]
        while len(found) < 6:
            env.step([EOS] * 3)
            found.append(list(env.step([97] * 3)[-1]["task_id"]))
        assert list(map(list, zip(*found, strict=True))) == wanted
        env.close()


@pytest.mark.parametrize("act", ["Token", "Line"])
def test_everything_follows_from_the_seed_and_the_actions(act):
    results = []
    for _ in range(2):
        env, rng = SINGLE[act](**small(act, line_scorer="fake", reward="outcome + process")), np.random.default_rng(0)
        results.append([env.reset(seed=5)])
        for _ in range(60):
            results[-1].append(env.step(draw_actions(rng, act)))
            if results[-1][-1][2]:
                results[-1].append(env.reset())
    assert_same(results[0], results[1])


def test_no_global_generator_is_used_or_touched():
    env = TokenEnv(**small("Token"))
    random.seed(1)
    np.random.seed(1)
    before, numpys = random.getstate(), np.random.get_state()[1].copy()
    first = tasks(env, 3)
    assert random.getstate() == before
    np.testing.assert_array_equal(np.random.get_state()[1], numpys)
    random.seed(2)
    np.random.seed(2)
    assert tasks(env, 3) == first


def test_without_a_seed_environments_differ():
    assert len({tuple(tasks(TokenEnv(**small("Token")), None)) for _ in range(4)}) > 1


DIGEST = """
import hashlib, pickle
import gymnasium as gym, numpy as np
import codegym
digest, rng = hashlib.sha256(), np.random.default_rng(0)
for act in ("Token", "Line"):
    reward = "outcome + 0.5*process + psgpo + length_penalty"
    keywords = dict(sandbox="fake", max_tokens=40, line_scorer="fake", reward=reward)
    env = gym.make_vec(f"codegym/{act}-v0", num_envs=4, **keywords)
    result = env.reset(seed=3)
    for _ in range(80):
        for value in result[0].values():
            digest.update(value.tobytes())
        digest.update(repr(sorted(result[-1])).encode())
        digest.update(repr([list(result[-1].get(key, ())) for key in ("task_id", "text", "lines", "verdict")]).encode())
        if len(result) == 5:
            digest.update(result[1].tobytes() + result[2].tobytes())
        shape = (4,) if act == "Token" else (4, 64)
        result = env.step(rng.choice(np.array([10, 10, 35, 97, 40, 200, 256]), shape))
print(digest.hexdigest())
"""


def test_processes_with_other_hash_seeds_play_the_same():
    digests = []
    for seed in ("0", "1", "random"):
        command = [sys.executable, "-W", "error", "-c", DIGEST]
        environment = {**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": str(ROOT)}
        digests.append(subprocess.run(command, capture_output=True, text=True, check=True, env=environment).stdout)
    assert len(digests[0]) == 65
    assert digests[0] == digests[1] == digests[2]


def test_make_and_make_vec_draw_the_same():
    vector = gym.make_vec("codegym/Line-v0", num_envs=2, sandbox="fake")
    single = gym.make("codegym/Line-v0", sandbox="fake")
    assert [single.reset(seed=seed)[1]["task_id"] for seed in (6, 7)] == list(vector.reset(seed=6)[1]["task_id"])
