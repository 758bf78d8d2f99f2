"""Adapter for Stable-Baselines3 and sb3-contrib: a native vector environment as a ``VecEnv``, with credit.

    envs = SB3VecEnv(gym.make_vec("codegym/Token-v0", num_envs=16, reward="psgpo", line_scorer=scorer))
    PPO("MultiInputPolicy", envs).learn(100_000, callback=CreditCallback())

``MaskablePPO`` takes the same object. A single environment needs no adapter.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from gymnasium.vector import AutoresetMode
from numpy.typing import NDArray
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.monitor import Monitor
from stable_baselines3.common.on_policy_algorithm import OnPolicyAlgorithm
from stable_baselines3.common.vec_env import VecEnv, VecNormalize, unwrap_vec_wrapper

from codegym.envs.vector import CodeVectorEnv
from codegym.errors import SandboxError

Info = dict[str, Any]
Indices = None | int | Iterable[int]


class SB3VecEnv(VecEnv):
    """A ``CodeVectorEnv`` as a ``VecEnv`` of Stable-Baselines3.

    At the end of an episode its info holds ``terminal_observation``, ``TimeLimit.truncated``, ``episode`` (in the form
    of a ``Monitor``) and ``action_credit``: the credit of each action of the episode, [num_actions]. An episode that
    could not be judged has neither ``episode`` nor ``is_success``, so that it enters no mean.

    Args:
        vector_env: Vector environment with "SameStep" autoreset (what a ``VecEnv`` does), ``copy`` and no ``overlap``.

    Raises:
        ValueError: The vector environment has other settings.
    """

    def __init__(self, vector_env: CodeVectorEnv) -> None:
        mode = vector_env.autoreset_mode
        if mode is not AutoresetMode.SAME_STEP:
            raise ValueError(
                f'wrong autoreset_mode for a VecEnv, which resets at once: got "{mode.value}"; expected "SameStep"'
            )
        if vector_env.overlap:
            raise ValueError(
                "wrong overlap: got True; expected False. With overlap, actions are ignored while a program is judged, "
                "and Stable-Baselines3 would learn from them"
            )
        if not vector_env.copy:
            raise ValueError(
                "wrong copy: got False; expected True. Without copies, an observation changes before "
                "Stable-Baselines3 has stored it"
            )
        self.vector_env = vector_env
        super().__init__(vector_env.num_envs, vector_env.single_observation_space, vector_env.single_action_space)
        self._actions: Any = None
        self._lengths = np.zeros(self.num_envs, np.int64)
        self._borders: list[list[int]] = [[] for _ in range(self.num_envs)]
        self._totals = np.zeros(self.num_envs)
        self._begun = [time.time()] * self.num_envs

    def reset(self) -> Any:
        """Begin episodes in all slots, with the seeds and options set before, and return the observations."""
        keys = {key for options in self._options for key in options}
        options = {key: [chosen.get(key) for chosen in self._options] for key in keys}
        observation, infos = self.vector_env.reset(seed=self._seeds, options=options)
        self.reset_infos = split_infos(infos, self.num_envs)
        self._reset_seeds()
        self._reset_options()
        for slot in range(self.num_envs):
            self._begin(slot)
        self._lengths = self.vector_env.num_tokens
        return observation

    def _begin(self, slot: int) -> None:
        self._borders[slot], self._totals[slot], self._begun[slot] = [], 0.0, time.time()

    def step_async(self, actions: NDArray[Any]) -> None:
        """Keep ``actions``, one for each slot, for ``step_wait``."""
        self._actions = actions

    def step_wait(self) -> tuple[Any, NDArray[np.float64], NDArray[np.bool_], list[Info]]:
        """Append the actions to the programs; for an ended one, return the first observation of the next episode."""
        observation, rewards, terminated, truncated, batched = self.vector_env.step(self._actions)
        for slot, length in enumerate(self._lengths.tolist()):
            self._borders[slot].append(length)
        self._totals += rewards
        dones = terminated | truncated
        infos = split_infos(batched, self.num_envs)
        for slot in np.flatnonzero(dones).tolist():
            infos[slot] = self._end(slot, infos[slot], bool(truncated[slot] and not terminated[slot]))
        self._lengths = self.vector_env.num_tokens
        return observation, rewards, dones, infos

    def _end(self, slot: int, info: Info, truncated: bool) -> Info:
        """Return the info of an episode that has ended, with the keys of Stable-Baselines3."""
        last: Info = info.pop("final_info")
        last["terminal_observation"] = info.pop("final_obs")
        last["TimeLimit.truncated"] = truncated
        last["action_credit"] = np.add.reduceat(last["credit"][: last["num_tokens"]], self._borders[slot])
        if last["reward_valid"]:
            num_actions, seconds = len(self._borders[slot]), time.time() - self._begun[slot]
            last["episode"] = {"r": float(self._totals[slot]), "l": num_actions, "t": round(seconds, 6)}
        else:
            del last["is_success"]
        self.reset_infos[slot] = info
        self._begin(slot)
        return last

    def close(self) -> None:
        """Close the vector environment."""
        self.vector_env.close()

    def get_attr(self, attr_name: str, indices: Indices = None) -> list[Any]:
        """Return an attribute of the vector environment, once for each slot.

        Args:
            attr_name: Name of the attribute.
            indices: Slots; None for all.
        """
        return [getattr(self.vector_env, attr_name)] * len(self._slots(indices))

    def set_attr(self, attr_name: str, value: Any, indices: Indices = None) -> None:
        """Raise an error: all slots share one environment, so no attribute belongs to some of them.

        Args:
            attr_name: Name of the attribute.
            value: Value that will not be set.
            indices: Slots; None for all.

        Raises:
            AttributeError: Always.
        """
        raise AttributeError(f"no attributes of single slots: got {attr_name!r}. Set it on .vector_env, for all slots")

    def env_method(self, method_name: str, *args: Any, indices: Indices = None, **kwargs: Any) -> list[Any]:
        """Call ``action_masks``, ``render``, ``get_state`` or ``set_state`` for each slot.

        Args:
            method_name: One of these names.
            args: Arguments after the slot.
            indices: Slots; None for all.
            kwargs: Keywords of the method.

        Raises:
            AttributeError: The method is none of these.
        """
        slots = self._slots(indices)
        if method_name in ("action_masks", "render"):
            rows = getattr(self.vector_env, method_name)()
            return [None if rows is None else rows[slot] for slot in slots]
        if method_name not in ("get_state", "set_state"):
            raise AttributeError(
                f"no such method of a slot: got {method_name!r}; expected action_masks, render, get_state or set_state"
                ". Call others on .vector_env"
            )
        return [getattr(self.vector_env, method_name)(slot, *args, **kwargs) for slot in slots]

    def env_is_wrapped(self, wrapper_class: type[Any], indices: Indices = None) -> list[bool]:
        """Return True for ``Monitor`` only, whose work is done here.

        Args:
            wrapper_class: Class of a wrapper.
            indices: Slots; None for all.
        """
        return [wrapper_class is Monitor] * len(self._slots(indices))

    def get_images(self) -> Sequence[NDArray[np.uint8] | None]:
        """Return a picture of each slot."""
        return self.vector_env.render() or ()

    def _slots(self, indices: Indices) -> list[int]:
        return list(self._get_indices(indices))


def split_infos(infos: Mapping[str, Any], num_envs: int) -> list[Info]:
    """Return the infos of a vector environment as one dictionary for each slot.

    Args:
        infos: Infos in Gymnasium's form: an array and a mask (key ``_name``) for each key.
        num_envs: Number of slots.
    """
    split: list[Info] = [{} for _ in range(num_envs)]
    for key, values in infos.items():
        if key.startswith("_"):
            continue
        slots = np.flatnonzero(infos[f"_{key}"]).tolist()
        rows = split_infos(values, num_envs) if isinstance(values, dict) else values
        for slot in slots:
            split[slot][key] = rows[slot]
    return split


class CreditCallback(BaseCallback):
    """Callback that places the rewards of finished episodes on the actions that earned them, before the update.

    It replaces the streamed rewards by ``action_credit`` of the info and recomputes returns and advantages. If an
    episode began in the previous rollout, only its actions in the current buffer get their credit: the update after
    that rollout used the stream and a bootstrapped value. So choose ``n_steps`` several times the length of an episode.
    An episode that continues in the next rollout keeps its stream so far.

    Episodes that could not be judged are dropped: each of their rows becomes a copy of a valid row, drawn at random.
    Advantages of zero would not suffice: after normalisation over a minibatch they are no longer zero, and the value
    and the entropy would still be learned from these rows.

    Args:
        seed: Seed of the generator that draws the copies.

    Raises:
        TypeError: The algorithm has no rollout buffer, such as DQN.
        ValueError: The environment is no ``SB3VecEnv``, or ``VecNormalize`` scales its rewards (credit has the units of
            the environment).
        SandboxError: None of the programs of a rollout could be judged.
    """

    def __init__(self, seed: int = 0) -> None:
        super().__init__()
        self._rng = np.random.default_rng(seed)
        self._ended: list[tuple[int, int, Info]] = []

    def _init_callback(self) -> None:
        if not isinstance(self.model, OnPolicyAlgorithm):
            raise TypeError(
                f"no rollout buffer for credit: got {type(self.model).__name__}; expected an on-policy algorithm"
            )
        if not isinstance(self.training_env.unwrapped, SB3VecEnv):
            raise ValueError(
                f"no credit for each action: got {type(self.training_env.unwrapped).__name__}; expected an SB3VecEnv "
                "(one slot is enough)"
            )
        normalize = unwrap_vec_wrapper(self.training_env, VecNormalize)
        if normalize is not None and normalize.norm_reward:
            raise ValueError(
                "wrong norm_reward of VecNormalize: got True; expected False. It scales the stream, not the credit"
            )

    def _on_rollout_start(self) -> None:
        self._ended = []

    def _on_step(self) -> bool:
        row = self.locals["rollout_buffer"].pos
        for slot in np.flatnonzero(self.locals["dones"]).tolist():
            self._ended.append((row, slot, self.locals["infos"][slot]))
        return True

    def _on_rollout_end(self) -> None:
        buffer = self.locals["rollout_buffer"]
        for rows, slot, info in self._episodes():
            buffer.rewards[rows, slot] = info["action_credit"][-len(rows) :]
        model = self.model
        assert isinstance(model, OnPolicyAlgorithm)
        assert model._last_obs is not None
        with torch.no_grad():
            last_values = model.policy.predict_values(model.policy.obs_to_tensor(model._last_obs)[0])
        buffer.compute_returns_and_advantage(last_values, model._last_episode_starts)
        dropped = np.zeros(buffer.rewards.shape, np.bool_)
        for rows, slot, info in self._episodes():
            dropped[rows, slot] = not info["reward_valid"]
        resample_rows(buffer, dropped, self._rng)

    def _episodes(self) -> Iterator[tuple[NDArray[np.intp], int, Info]]:
        """Yield rows in the buffer, slot and last info of every episode that ended in this rollout."""
        firsts: dict[int, int] = {}
        for row, slot, info in self._ended:
            yield np.arange(firsts.get(slot, 0), row + 1), slot, info
            firsts[slot] = row + 1


def resample_rows(buffer: Any, dropped: NDArray[np.bool_], rng: np.random.Generator) -> None:
    """Replace rows of a filled rollout buffer, in every array that it holds, by copies of others drawn at random.

    Args:
        buffer: Rollout buffer of Stable-Baselines3 or sb3-contrib.
        dropped: Rows to replace, bool [buffer_size, num_envs].
        rng: Generator that draws the others.

    Raises:
        SandboxError: There are no others.
    """
    if not dropped.any():
        return
    kept = np.argwhere(~dropped)
    if not len(kept):
        raise SandboxError(
            f"nothing to learn from: got {dropped.size} steps of programs that could not be judged. Check the sandbox "
            "with 'codegym sandbox check'"
        )
    source = kept[rng.integers(len(kept), size=int(dropped.sum()))]
    held = vars(buffer) | (buffer.observations if isinstance(buffer.observations, dict) else {})
    for array in held.values():
        if isinstance(array, np.ndarray) and array.shape[:2] == dropped.shape:
            array[dropped] = array[source[:, 0], source[:, 1]]
