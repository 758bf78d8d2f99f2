"""How each setting is run: everything is made before the clock starts, a run goes on where the last one stopped."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from types import ModuleType
from typing import Any

import gymnasium as gym
import numpy as np

from benchmarks.speed.env_throughput.actions import Vocabulary, Writer, train
from benchmarks.speed.env_throughput.by_rl4lms import AsGymnasium, make_env
from benchmarks.speed.env_throughput.settings import MAX_PROMPT_TOKENS, Setting
from codegym.tokenizers import Tokenizer, load_tokenizer

Run = Callable[[int], float]
"""Do so many calls of ``step``, tell the seconds."""
Clock = Callable[[], float]
CLOCKS: dict[str, Clock] = {"wall": time.perf_counter, "cpu": time.process_time}
DENSE = {"reward": "outcome + 0.5*process", "line_scorer": "fake"}
CARTPOLE = "CartPole-v1"


def open_run(setting: Setting, rl4lms: ModuleType | None, stack: ExitStack, clock: Clock = time.perf_counter) -> Run:
    """Make the environment of a setting; the stack closes it."""
    if setting.env == "copy":
        return partial(run_copies, clock, np.zeros((setting.slots or 1, MAX_PROMPT_TOKENS + setting.length), np.int32))
    if setting.env.startswith("RL4LMs"):
        assert rl4lms is not None
        return _open_rl4lms(setting, rl4lms, stack, clock)
    if setting.env == "CartPole":
        env = gym.make_vec(CARTPOLE, setting.slots) if setting.slots else gym.make(CARTPOLE)
        actions = partial(_coin, np.random.default_rng(0), setting.slots)
    else:
        env = open_codegym(setting)
        shape = (setting.slots or 1, setting.length)
        actions = Writer(tokenizer(setting.vocabulary), *shape, setting.in_phase, setting.new_lines).rows
    stack.callback(env.close)
    env.reset(seed=0)
    return partial(run_vector if setting.slots else run_single, clock, env, actions)


def tokenizer(vocabulary: Vocabulary) -> Tokenizer:
    """Ours: bytes as they are, or a BPE."""
    return load_tokenizer("bytes" if vocabulary == "bytes" else train(vocabulary))


def open_codegym(setting: Setting) -> Any:
    """Our environment, judged by a sandbox that answers at once."""
    keywords: dict[str, Any] = {
        "sandbox": "fake",
        "tokenizer": tokenizer(setting.vocabulary),
        "max_tokens": setting.length,
        "max_prompt_tokens": MAX_PROMPT_TOKENS,
        "reward": "outcome",
    } | (DENSE if setting.dense else {})
    if setting.slots:
        return gym.make_vec("codegym/Token-v0", num_envs=setting.slots, copy=setting.copy, **keywords)
    env = gym.make("codegym/Token-v0", **keywords)
    return env.unwrapped if setting.env == "codegym, bare" else env


def run_single(clock: Clock, env: Any, actions: Callable[[int], Any], steps: int) -> float:
    chosen = actions(steps).ravel().tolist()
    started = clock()
    for action in chosen:
        _, _, terminated, truncated, _ = env.step(action)
        if terminated or truncated:
            env.reset()
    return clock() - started


def run_vector(clock: Clock, env: Any, actions: Callable[[int], Any], steps: int) -> float:
    chosen = list(actions(steps))
    started = clock()
    for action in chosen:
        env.step(action)
    return clock() - started


def run_one_after_another(clock: Clock, envs: list[Any], actions: Callable[[int], Any], steps: int) -> float:
    chosen = actions(steps).tolist()
    started = clock()
    for row in chosen:
        for env, action in zip(envs, row, strict=True):
            if env.step(action)[2]:
                env.reset()
    return clock() - started


def run_copies(clock: Clock, tokens: np.ndarray, steps: int) -> float:
    started = clock()
    for _ in range(steps):
        tokens.copy()
    return clock() - started


def _open_rl4lms(setting: Setting, rl4lms: ModuleType, stack: ExitStack, clock: Clock) -> Run:
    actions = Writer(train(setting.vocabulary), setting.slots or 1, setting.length).rows
    make = partial(make_env, rl4lms, setting.vocabulary, setting.length)
    if setting.env == "RL4LMs, processes":
        from stable_baselines3.common.vec_env import SubprocVecEnv  # nobody else needs it

        vector = SubprocVecEnv([lambda: AsGymnasium(make())] * setting.slots, start_method="fork")
        stack.callback(vector.close)
        vector.reset()
        return partial(run_vector, clock, vector, actions)
    envs = [make() for _ in range(setting.slots or 1)]
    for env in envs:
        env.reset()
    return partial(run_one_after_another, clock, envs, actions)


def _coin(rng: np.random.Generator, slots: int, steps: int) -> np.ndarray:
    return rng.integers(0, 2, (steps, slots) if slots else steps)
