"""The rival: RL4LMs' own ``TextGenEnv``, its files unchanged, with stand-ins for outdated dependencies.

No part of it is kept here: ``--rl4lms`` names a clone, with or without a work tree.
"""

from __future__ import annotations

import contextlib
import copy
import importlib
import io
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import gymnasium

from benchmarks.speed.env_throughput.actions import PROGRAMS, Vocabulary, train
from benchmarks.speed.env_throughput.settings import MAX_PROMPT_TOKENS

SHIMS = (
    "gym 0.21 (Env, spaces, spaces.dict, spaces.discrete): the same names of gymnasium",
    "datasets.load_metric, which newer versions lack: an empty function, needed by rewards that are not used here",
    "rl4lms.envs.text_generation.metric: empty classes, needed by rewards that are not used here",
    "SubprocVecEnv, a fork of Stable-Baselines3 1.5 there: the one of today's version, around an adapter that gives "
    "reset its info and step its fifth value",
)
_METRICS = (
    *("CIDERMetric", "MeteorMetric", "BERTScoreMetric", "BLEUMetric", "SpiceMetric", "ParentToTTo", "RougeLMax"),
    *("TERMetric", "chrFmetric", "IntentAccuracyDailyDialog"),
)


def load(repository: Path) -> ModuleType:
    """Return the module of ``TextGenEnv``, its files unchanged.

    Args:
        repository: Clone of RL4LMs.

    Raises:
        SystemExit: There is no such file.
    """
    with _source(repository) as folder, _stand_ins(), _on_path(folder):
        return importlib.import_module("rl4lms.envs.text_generation.env")


def make_env(module: ModuleType, vocabulary: Vocabulary, length: int) -> Any:
    """Return a ``TextGenEnv`` that ends at the end token or at its budget, with a reward in constant time.

    Args:
        module: Module of ``TextGenEnv``.
        vocabulary: Kind of tokenizer.
        length: Token budget.
    """

    def no_judging(current: object, action: int, following: object, done: bool, meta_info: object = None) -> float:
        return float(done)

    sample = sys.modules[module.Sample.__module__].Sample("0", PROGRAMS[:100], ["a reference"], {})
    return module.TextGenEnv(
        tokenizer=copy.deepcopy(train(vocabulary)),  # it sets padding and truncation
        reward_function=no_judging,
        samples=[(sample, 1.0)],
        max_episode_length=length,
        max_prompt_length=MAX_PROMPT_TOKENS,
        terminate_on_eos=True,
    )


class AsGymnasium(gymnasium.Env[Any, Any]):
    """``TextGenEnv`` behind the interface of current vector environments."""

    def __init__(self, env: Any) -> None:
        self.env, self.observation_space, self.action_space = env, env.observation_space, env.action_space

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        return self.env.reset(), {}

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        observation, reward, done, info = self.env.step(int(action))
        return observation, reward, done, False, info


def revision(repository: Path) -> str:
    """Return the commit of the clone, as far as git knows it.

    Args:
        repository: Clone of RL4LMs.
    """
    done = subprocess.run(["git", "-C", repository, "rev-parse", "HEAD"], capture_output=True, text=True, check=False)
    return done.stdout.strip()[:12] or "unknown"


@contextlib.contextmanager
def _source(repository: Path) -> Iterator[Path]:
    """Yield the folder that holds the package ``rl4lms``: the work tree, or an export of the git history."""
    if (repository / "rl4lms").is_dir():
        yield repository
        return
    command = ["git", "-C", repository, "archive", "HEAD", "--", "rl4lms/*.py"]
    done = subprocess.run(command, capture_output=True, check=False)
    if done.returncode:
        raise SystemExit(f"--rl4lms {repository} is no clone of allenai/RL4LMs: {done.stderr.decode().strip()}")
    with tempfile.TemporaryDirectory() as folder, tarfile.open(fileobj=io.BytesIO(done.stdout)) as files:
        files.extractall(folder, filter="data")
        yield Path(folder)


@contextlib.contextmanager
def _on_path(folder: Path) -> Iterator[None]:
    sys.path.insert(0, str(folder))
    try:
        yield
    finally:
        sys.path.remove(str(folder))


@contextlib.contextmanager
def _stand_ins() -> Iterator[None]:
    """Provide stand-ins while the files are imported; other modules must not find them."""
    modules = {
        "gym": gymnasium,
        "gym.spaces": gymnasium.spaces,
        "gym.spaces.dict": gymnasium.spaces.dict,
        "gym.spaces.discrete": gymnasium.spaces.discrete,
        "datasets": _module("datasets", load_metric=lambda *_: None),
        "rl4lms.envs.text_generation.metric": _module("metric", **{name: type(name, (), {}) for name in _METRICS}),
    }
    before = {name: sys.modules.get(name) for name in modules}
    sys.modules.update(modules)
    try:
        yield
    finally:
        for name, module in before.items():
            if module is None:
                del sys.modules[name]
            else:
                sys.modules[name] = module


def _module(name: str, **members: object) -> ModuleType:
    module = ModuleType(name)
    vars(module).update(members)
    return module
