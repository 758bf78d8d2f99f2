"""Recorded episodes: files of actions, and their replay with a comparison to the bit."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np

from codegym.envs.env import CodeEnv
from codegym.errors import ReplayError

_FIELDS = ("env_id", "settings", "task_id", "prefix", "actions", "rewards", "observations", "status")


class RecordActions(gym.Wrapper[Any, Any, Any, Any]):
    """Wrapper that appends every episode to a file, one JSON object a line; ``codegym replay`` replays it.

    Args:
        env: Environment made with ``gym.make`` and plain keyword values, which the file keeps.
        path: File to append to; an episode is written when it ends.

    Raises:
        ReplayError: The environment was not made from an id, or a keyword cannot be written as JSON.
    """

    def __init__(self, env: gym.Env[Any, Any], path: str | Path) -> None:
        super().__init__(env)
        if env.spec is None:
            raise ReplayError("no id of the environment: got spec=None; expected an environment made with gym.make")
        self.path = Path(path)
        self._made = {"env_id": env.spec.id, "settings": _plain(env.spec.kwargs)}
        self._episode: dict[str, Any] = {}
        self._digest = hashlib.sha256()

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, Any]:
        """Begin an episode; an unfinished one before it is not written."""
        observation, info = self.env.reset(seed=seed, options=options)
        prefix = (options or {}).get("prefix")
        self._episode = {"task_id": info["task_id"], "prefix": _jsonable(prefix), "actions": [], "rewards": []}
        self._digest = hashlib.sha256(_bytes(observation))
        return observation, info

    def step(self, action: Any) -> tuple[Any, Any, bool, bool, Any]:
        """Step the environment and record the action."""
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
    """Result of replaying one recorded episode."""

    line: int
    """Line number in the file; the first line is 1."""
    task_id: str
    """Task of the episode."""
    reward: float
    """Total reward of the replay."""
    status: str
    """Status of the verdict, "infrastructure_failure" or "not_ended"."""
    differences: tuple[str, ...]
    """Differences from the recording; empty if the replay is equal to the bit."""
    env: CodeEnv
    """Environment at the end of the episode, for ``render``; closed when the next episode is replayed."""


def replay(path: str | Path, **changes: Any) -> Iterator[Replay]:
    """Yield the replay of each episode of a file, in order.

    Args:
        path: File that ``RecordActions`` wrote.
        changes: Keywords of the environment that replace the recorded ones, such as ``sandbox="process"``.

    Raises:
        ReplayError: A line is not a recorded episode.
    """
    with Path(path).open(encoding="utf-8") as file:
        for number, line in enumerate(file, start=1):
            if line.strip():
                yield from _play(_read(line, f"{path}, line {number}"), number, changes)


def _read(line: str, place: str) -> dict[str, Any]:
    try:
        row = json.loads(line)
    except ValueError as error:
        raise ReplayError(
            f"{place} is no episode: got no JSON ({error}); expected a line that RecordActions wrote"
        ) from None
    if not isinstance(row, dict) or (missing := [name for name in _FIELDS if name not in row]):
        found = f"an object without {', '.join(missing)}" if isinstance(row, dict) else type(row).__name__
        raise ReplayError(f"{place} is no episode: got {found}; expected a line that RecordActions wrote")
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


def _bytes(observation: Any) -> bytes:
    if isinstance(observation, dict):
        return b"".join(observation[key].tobytes() for key in sorted(observation))
    return bytes(observation.tobytes())


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
                f"keyword cannot be recorded: got {key}={value!r}; expected a plain value such as a number or a name"
            ) from None
    return kept
