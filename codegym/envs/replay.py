"""Episodes as files: the actions of an episode, and whether taking them again gives the very same."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np

from codegym.envs.batch import Observation
from codegym.envs.env import CodeEnv
from codegym.errors import ReplayError

_FIELDS = ("env_id", "settings", "task_id", "prefix", "actions", "rewards", "observations", "status")


class RecordActions(gym.Wrapper[Observation, Any, Observation, Any]):
    """Appends every episode to a file, a JSON object a line, from which ``codegym replay`` plays it again.

    Args:
        env: made with ``gym.make`` and plain keyword values, which the file keeps.
        path: file to append to; an episode is written when it ends.

    Raises:
        ReplayError: the environment was not made from an id, or a keyword is an object that no file can keep.
    """

    def __init__(self, env: gym.Env[Observation, Any], path: str | Path) -> None:
        super().__init__(env)
        if env.spec is None:
            raise ReplayError("only environments made with gym.make can be recorded: this one has no id")
        self.path = Path(path)
        self._made = {"env_id": env.spec.id, "settings": _plain(env.spec.kwargs)}
        self._episode: dict[str, Any] = {}
        self._digest = hashlib.sha256()

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Observation, Any]:
        """Begin an episode; one that has not ended is not written."""
        observation, info = self.env.reset(seed=seed, options=options)
        prefix = (options or {}).get("prefix")
        self._episode = {"task_id": info["task_id"], "prefix": _jsonable(prefix), "actions": [], "rewards": []}
        self._digest = hashlib.sha256(_bytes(observation))
        return observation, info

    def step(self, action: Any) -> tuple[Observation, Any, bool, bool, Any]:
        """Take an action and note it."""
        observation, reward, terminated, truncated, info = self.env.step(action)
        self._episode["actions"].append(_jsonable(action))
        self._episode["rewards"].append(float(reward))
        self._digest.update(_bytes(observation))
        if terminated or truncated:
            self._write(info)
        return observation, reward, terminated, truncated, info

    def _write(self, info: Mapping[str, Any]) -> None:
        row = {**self._made, **self._episode, "observations": self._digest.hexdigest(), "status": _status(info)}
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(row) + "\n")


@dataclass(frozen=True)
class Replay:
    """What came of playing one recorded episode again."""

    line: int
    """Of the file, 1-based."""
    task_id: str
    reward: float
    status: str
    differences: tuple[str, ...]
    """What was not the same; empty where the replay is bit-identical."""
    env: CodeEnv
    """The environment at the end of the episode, to look at it; closed when the next one is played."""


def replay(path: str | Path, **changes: Any) -> Iterator[Replay]:
    """Play the episodes of a file again, in order.

    Args:
        path: what ``RecordActions`` wrote.
        changes: keywords of the environment to take instead of the recorded ones, such as ``sandbox="process"``.

    Raises:
        ReplayError: a line is not a recorded episode.
    """
    with Path(path).open(encoding="utf-8") as file:
        for number, line in enumerate(file, start=1):
            if line.strip():
                yield from _play(_read(line, f"{path}, line {number}"), number, changes)


def _read(line: str, place: str) -> dict[str, Any]:
    try:
        row = json.loads(line)
    except ValueError as error:
        raise ReplayError(f"{place}: not JSON ({error})") from None
    if not isinstance(row, dict) or (missing := [name for name in _FIELDS if name not in row]):
        what = f"{', '.join(missing)} is missing" if isinstance(row, dict) else "not an object"
        raise ReplayError(f"{place}: {what}; wanted an episode as codegym.envs.replay.RecordActions writes it")
    return row


def _play(row: dict[str, Any], number: int, changes: dict[str, Any]) -> Iterator[Replay]:
    env = gym.make(row["env_id"], **(row["settings"] | changes), disable_env_checker=True)
    try:
        observation, info = env.reset(options={"task_id": row["task_id"], "prefix": row["prefix"]})
        digest, rewards = hashlib.sha256(_bytes(observation)), []
        for action in row["actions"]:
            observation, reward, _, _, info = env.step(action)
            digest.update(_bytes(observation))
            rewards.append(float(reward))
        status = _status(info)
        seen = {"rewards": rewards, "observations": digest.hexdigest(), "status": status}
        differences = tuple(f"{name}: {row[name]} then, {seen[name]} now" for name in seen if seen[name] != row[name])
        assert isinstance(env.unwrapped, CodeEnv)
        yield Replay(number, row["task_id"], sum(rewards), status, differences, env.unwrapped)
    finally:
        env.close()


def _bytes(observation: Observation) -> bytes:
    return b"".join(observation[key].tobytes() for key in sorted(observation))


def _status(info: Mapping[str, Any]) -> str:
    if "reward_valid" not in info:
        return "not_ended"
    return str(info["verdict"].status) if info["reward_valid"] else "infrastructure_failure"


def _jsonable(value: Any) -> Any:
    return value.tolist() if isinstance(value, (np.ndarray, np.generic)) else value


def _plain(settings: Mapping[str, Any]) -> dict[str, Any]:
    kept = {key: str(value) if isinstance(value, Path) else value for key, value in settings.items()}
    for key, value in kept.items():
        try:
            json.dumps(value)
        except TypeError:
            raise ReplayError(
                f"{key}={value!r} cannot be written to a file: make the environment with plain values to record it"
            ) from None
    return kept
