"""Runs of each row: everything is made before the clock starts, and a run continues after its last step."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from types import ModuleType
from typing import Any

import gymnasium as gym
import numpy as np

from benchmarks.speed.env_throughput.actions import ActionWriter, Vocabulary, train
from benchmarks.speed.env_throughput.by_rl4lms import AsGymnasium, make_env
from benchmarks.speed.env_throughput.settings import MAX_PROMPT_TOKENS, EnvRow
from codegym.tokenizers import Tokenizer, load_tokenizer

Run = Callable[[int], float]
"""Function that makes a number of calls of ``step`` and returns the seconds."""
Clock = Callable[[], float]
CLOCKS: dict[str, Clock] = {"wall": time.perf_counter, "cpu": time.process_time}
DENSE = {"reward": "outcome + 0.5*process", "line_scorer": "fake"}
CARTPOLE = "CartPole-v1"


def open_run(row: EnvRow, rl4lms: ModuleType | None, stack: ExitStack, clock: Clock = time.perf_counter) -> Run:
    """Make the environment of a row and return the function that runs it.

    Args:
        row: Row of the table.
        rl4lms: Module of RL4LMs, if a clone was named.
        stack: Stack that closes the environment.
        clock: Clock to measure with.
    """
    if row.env == "copy":
        return partial(run_copies, clock, np.zeros((row.slots or 1, MAX_PROMPT_TOKENS + row.length), np.int32))
    if row.env.startswith("RL4LMs"):
        assert rl4lms is not None
        return _open_rl4lms(row, rl4lms, stack, clock)
    if row.env == "CartPole":
        env = gym.make_vec(CARTPOLE, row.slots) if row.slots else gym.make(CARTPOLE)
        actions = partial(_coin, np.random.default_rng(0), row.slots)
    else:
        env = open_codegym(row)
        shape = (row.slots or 1, row.length)
        actions = ActionWriter(tokenizer(row.vocabulary), *shape, row.in_phase, row.new_lines).rows
    stack.callback(env.close)
    env.reset(seed=0)
    return partial(run_vector if row.slots else run_single, clock, env, actions)


def tokenizer(vocabulary: Vocabulary) -> Tokenizer:
    """Return our tokenizer of a ``vocabulary``: bytes, or a BPE."""
    return load_tokenizer("bytes" if vocabulary == "bytes" else train(vocabulary))


def open_codegym(row: EnvRow) -> Any:
    """Return our environment with a sandbox that answers at once.

    Args:
        row: Row of the table.
    """
    keywords: dict[str, Any] = {
        "sandbox": "fake",
        "tokenizer": tokenizer(row.vocabulary),
        "max_tokens": row.length,
        "max_prompt_tokens": MAX_PROMPT_TOKENS,
        "reward": "outcome",
    } | (DENSE if row.dense else {})
    if row.slots:
        return gym.make_vec("codegym/Token-v0", num_envs=row.slots, copy=row.copy, **keywords)
    env = gym.make("codegym/Token-v0", **keywords)
    return env.unwrapped if row.env == "codegym, bare" else env


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


def _open_rl4lms(row: EnvRow, rl4lms: ModuleType, stack: ExitStack, clock: Clock) -> Run:
    actions = ActionWriter(train(row.vocabulary), row.slots or 1, row.length).rows
    make = partial(make_env, rl4lms, row.vocabulary, row.length)
    if row.env == "RL4LMs, processes":
        from stable_baselines3.common.vec_env import SubprocVecEnv  # nobody else needs it

        vector = SubprocVecEnv([lambda: AsGymnasium(make())] * row.slots, start_method="fork")
        stack.callback(vector.close)
        vector.reset()
        return partial(run_vector, clock, vector, actions)
    envs = [make() for _ in range(row.slots or 1)]
    for env in envs:
        env.reset()
    return partial(run_one_after_another, clock, envs, actions)


def _coin(rng: np.random.Generator, slots: int, steps: int) -> np.ndarray:
    return rng.integers(0, 2, (steps, slots) if slots else steps)
