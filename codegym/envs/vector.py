"""The native vector environments: a shell over a batch with autoreset."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, wait
from typing import Any, ClassVar

import numpy as np
from gymnasium.error import ResetNeeded
from gymnasium.utils import seeding
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space
from numpy.typing import NDArray

from codegym.envs.batch import EpisodeBatch, Observation, StepResult
from codegym.envs.config import EnvConfig, LineEnvConfig
from codegym.envs.env import RENDER_MODES, check_render_mode
from codegym.envs.infos import Info, merge_infos
from codegym.envs.state import EpisodeState
from codegym.render import ansi, rgb_array

Bools = NDArray[np.bool_]


class CodeVectorEnv(VectorEnv[Observation, Any, NDArray[Any]]):
    """What ``TokenVectorEnv`` and ``LineVectorEnv`` have in common.

    Args:
        num_envs: slots.
        autoreset_mode: what happens after an episode has ended. "SameStep" (the default): the slot begins the next
            one at once, the last observation and info are in ``infos["final_obs"]`` and ``infos["final_info"]``;
            "NextStep": the next step resets the slot and ignores its action; "Disabled": nothing until
            ``reset(options={"reset_mask": ...})``.
        copy: whether observations are copies; without, an observation changes with the next step.
        overlap: do not wait for verdicts. A slot whose program is being judged stands still, ``infos["waiting"]`` is
            True for it, its reward is 0 and its action is ignored; once the verdict is there, the slot ends.
    """

    metadata: dict[str, Any]
    config_type: ClassVar[type[EnvConfig]] = EnvConfig

    def __init__(
        self,
        num_envs: int = 1,
        *,
        autoreset_mode: AutoresetMode | str = AutoresetMode.SAME_STEP,
        copy: bool = True,
        overlap: bool = False,
        render_mode: str | None = None,
        **settings: Any,
    ) -> None:
        if type(num_envs) is not int or num_envs < 1:
            raise ValueError(f"num_envs must be a whole number above 0, got {num_envs!r}")
        check_render_mode(render_mode)
        self.num_envs = num_envs
        self.render_mode = render_mode
        self.autoreset_mode = AutoresetMode(autoreset_mode)
        self.metadata = {"render_modes": RENDER_MODES, "render_fps": 10, "autoreset_mode": self.autoreset_mode}
        self.copy = copy
        self.overlap = overlap
        self.batch = EpisodeBatch(self.config_type(**settings), num_envs)
        self.actions = self.batch.config.make_actions(self.batch.tokenizer)
        self.single_action_space = self.actions.space
        self.action_space = batch_space(self.single_action_space, num_envs)
        self.single_observation_space = self.batch.observation_space
        self.observation_space = batch_space(self.single_observation_space, num_envs)
        self._rngs = [seeding.np_random()[0] for _ in range(num_envs)]
        self._done = np.ones(num_envs, np.bool_)  # nothing to step before reset
        self._slots = np.arange(num_envs)
        self._pending: list[int] = []
        self._unscored: list[int] = []  # slots of a step in which the line scorer failed

    def reset(
        self, *, seed: int | Sequence[int | None] | None = None, options: Mapping[str, Any] | None = None
    ) -> tuple[Observation, Info]:
        """Begin episodes in all slots, or in those of ``options["reset_mask"]``.

        Args:
            seed: slot ``i`` is seeded ``seed + i``, or with ``seed[i]``; None goes on with the generators there are.
            options: ``task_id`` and ``prefix`` as in the single environment, for all slots or a list with one for
                each; ``reset_mask`` is a boolean array, [num_envs]. They are for this reset: a slot that is reset
                after the end of its program draws a task, as in Gymnasium's vector environments.

        Raises:
            ValueError: unknown options, or lists of the wrong length.
            KeyError: no task of that id.
        """
        chosen = dict(options or {})
        slots: list[int] = np.flatnonzero(_checked_mask(chosen.pop("reset_mask", None), self.num_envs)).tolist()
        seeds = self._seeds(seed)
        told: list[tuple[int, Info]] = []
        for slot in slots:
            if seeds[slot] is not None:
                self._rngs[slot] = seeding.np_random(seeds[slot])[0]
            info = self.batch.start(slot, self._rngs[slot], {key: self._of_slot(chosen, key, slot) for key in chosen})
            told.append((slot, info))
        self._done[slots] = False
        self._pending = [slot for slot in self._pending if slot not in slots]
        self._unscored = [slot for slot in self._unscored if slot not in slots]
        return self._observe(), self._with_masks(merge_infos(told, self.num_envs), slots)

    def _seeds(self, seed: int | Sequence[int | None] | None) -> Sequence[int | None]:
        if seed is None:
            return [None] * self.num_envs
        if isinstance(seed, (int, np.integer)):
            return [int(seed) + slot for slot in range(self.num_envs)]
        if len(seed) != self.num_envs:
            raise ValueError(f"wanted one seed for each of {self.num_envs} slots, got {len(seed)}")
        return seed

    def _of_slot(self, options: Mapping[str, Any], key: str, slot: int) -> Any:
        """The option of one slot; a list of token ids is one prefix for all slots."""
        value = options[key]
        if not isinstance(value, (list, tuple)):
            return value
        if key == "prefix" and all(isinstance(token, (int, np.integer)) for token in value):
            return value
        if len(value) != self.num_envs:
            raise ValueError(f"wanted one {key} for each of {self.num_envs} slots, got {len(value)}")
        return value[slot]

    def step(self, actions: Any) -> tuple[Observation, NDArray[np.float64], Bools, Bools, Info]:
        """Append one action to the program in each slot.

        Raises:
            InvalidAction: one of them is not an action of the space; all episodes stand where they stood.
            LineScorerError: the line scorer broke its contract; the actions are written, the next step tells of them.
            ResetNeeded: before the first reset, or for a slot that has ended where nothing resets it.
        """
        resets = self._due_resets()
        settled = self._apply(actions, resets)
        rewards = np.zeros(self.num_envs)
        terminations, truncations = np.zeros(self.num_envs, np.bool_), np.zeros(self.num_envs, np.bool_)
        told: list[tuple[int, Info]] = []
        for slot in sorted([*resets, *settled]) if resets else settled:
            if slot in resets:
                info = self._start(slot)
            else:
                reward, terminated, truncated, info = self.batch.outcome(slot)
                if reward:
                    rewards[slot] = reward
                if terminated or truncated:
                    terminations[slot], truncations[slot] = terminated, truncated
                    info = self._end(slot, info, told)
            told.append((slot, info))
        told += [(slot, {"waiting": True}) for slot in self._pending]
        infos = merge_infos(told, self.num_envs)
        return self._observe(), rewards, terminations, truncations, self._with_masks(infos, range(self.num_envs))

    def append_chunk(self, slot: int, tokens: Sequence[int]) -> None:
        """Append a chunk of any length to the program in a slot, up to its end, and start judging where it ended.

        For policies that write whole completions: ``reset``, ``write`` to each slot, ``outcomes``, ``reset``. Rewards
        and credit are those of the same program written token by token.

        Raises:
            InvalidAction: not ids of tokens; the program stands where it stood.
            ResetNeeded: no episode in this slot, or it has ended.
        """
        episode = self.batch.dynamics.episodes[slot]
        if episode is None or episode.ended:
            raise ResetNeeded(f"no episode to write to in slot {slot}: call reset first")
        self.batch.dynamics.append_chunk(slot, self.batch.check_tokens(tokens))
        self.batch.dynamics.close_lines([slot])

    def finish(self) -> list[StepResult]:
        """What was written since the last outcome, slot by slot; waits for verdicts. Slots that ended need a reset.

        Raises:
            ResetNeeded: a slot has told its end already.
        """
        if self._done.any():
            raise ResetNeeded(f"slots {np.flatnonzero(self._done).tolist()} have ended: call reset first")
        slots = range(self.num_envs)
        self.batch.dynamics.close_lines(slots)  # what ``write`` could not hand to the judge is handed over now
        self.batch.dynamics.score(slots)
        outcomes = [self.batch.outcome(slot) for slot in slots]
        self._done[:] = [outcome.terminated or outcome.truncated for outcome in outcomes]
        return outcomes

    def _due_resets(self) -> list[int]:
        due: list[int] = np.flatnonzero(self._done).tolist()
        if due and (self.autoreset_mode is not AutoresetMode.NEXT_STEP or None in self.batch.dynamics.episodes):
            raise ResetNeeded(f"no episode to step in slots {due}: call reset first")
        return due

    def _apply(self, actions: Any, resets: Sequence[int]) -> list[int]:
        """Append actions where a program is being written; slots that have something to tell now."""
        idle = [*resets, *self._pending, *filter(self.batch.has_ended, self._unscored)]
        slots = np.setdiff1d(self._slots, idle) if idle else None
        events: list[int] = self.actions.apply_all(self.batch.dynamics, actions, slots).tolist()
        if self._unscored:
            events = sorted({*events, *self._unscored})
        if events:
            self._unscored = events
            self.batch.dynamics.close_lines(events)
            self.batch.dynamics.score(events)
            self._unscored = []
        return self._ready_slots(events) if self.overlap else events

    def _ready_slots(self, events: Sequence[int]) -> list[int]:
        """Those of the slots with something to tell whose verdict is there; the others wait."""
        candidates = [*self._pending, *events]
        pending = [verdict for slot in candidates if (verdict := self.batch.pending_verdict(slot)) is not None]
        if len(pending) == self.num_envs:  # nobody has anything else to do
            wait(pending, return_when=FIRST_COMPLETED)
        self._pending = [slot for slot in candidates if self.batch.pending_verdict(slot) is not None]
        return [slot for slot in candidates if slot not in self._pending]

    def _end(self, slot: int, info: Info, told: list[tuple[int, Info]]) -> Info:
        """What follows the end of an episode; the info of the slot, that of the next episode where it begins now."""
        if self.autoreset_mode is not AutoresetMode.SAME_STEP:
            self._done[slot] = True
            return info
        last = {"final_obs": self.batch.observe(slot), "final_info": self.batch.with_mask(slot, info)}
        told.append((slot, last))
        return self._start(slot)

    def _start(self, slot: int) -> Info:
        self._done[slot] = False
        return self.batch.start(slot, self._rngs[slot])

    def _observe(self) -> Observation:
        dynamics = self.batch.dynamics
        return {
            "length": dynamics.lengths[:, None].astype(np.int32),
            "prompt_length": dynamics.prompt_lengths[:, None].astype(np.int32),
            "tokens": dynamics.tokens.copy() if self.copy else dynamics.tokens,
        }

    def _with_masks(self, infos: Info, slots: Sequence[int]) -> Info:
        """Add the action masks of ``slots``, where the settings want them."""
        if self.batch.config.mask is not None:
            infos["action_mask"] = self.batch.action_masks(slots)
            infos["_action_mask"] = np.full(self.num_envs, len(slots) == self.num_envs)
            if len(slots) < self.num_envs:
                infos["_action_mask"][slots] = True
        return infos

    def action_masks(self) -> Bools:
        """Which actions are allowed next in each slot."""
        return np.stack([self.actions.mask(self.batch.action_mask(slot)) for slot in range(self.num_envs)])

    def get_state(self, slot: int) -> EpisodeState:
        """Copy the episode of a slot and the state of its generator."""
        return self.batch.get_state(slot, self._rngs[slot])

    def set_state(self, slot: int, state: EpisodeState) -> None:
        """Let a slot go on from a state, of this environment or of another one with the same tokenizer and sizes."""
        self.batch.set_state(slot, state, self._rngs[slot])
        has_told_its_end = state.returns.last is not None
        self._done[slot] = has_told_its_end
        self._pending = [other for other in self._pending if other != slot]
        self._unscored = [other for other in self._unscored if other != slot]
        if state.episode.ended and not has_told_its_end:
            self._unscored.append(slot)

    def render(self) -> tuple[Any, ...] | None:
        """Show the program of each slot in the form that ``render_mode`` names."""
        views = [self.batch.view(slot) for slot in range(self.num_envs)]
        if self.render_mode == "rgb_array":
            return tuple(map(rgb_array, views))
        if self.render_mode == "human":
            print("\n".join(map(ansi, views)))
            return None
        return tuple(map(ansi, views)) if self.render_mode == "ansi" else None

    def close_extras(self, **kwargs: Any) -> None:
        """Give back the sandbox, where this environment opened one."""
        self.batch.close()


def _checked_mask(mask: Any, num_envs: int) -> Bools:
    """Slots to reset: all, or those of a boolean array with at least one True."""
    if mask is None:
        return np.ones(num_envs, np.bool_)
    if not isinstance(mask, np.ndarray) or mask.dtype != np.bool_ or mask.shape != (num_envs,) or not mask.any():
        raise ValueError(f"reset_mask must be a boolean array of shape ({num_envs},) with a True in it, got {mask!r}")
    return mask


class TokenVectorEnv(CodeVectorEnv):
    """``TokenEnv``, many at once, with the keywords of both."""


class LineVectorEnv(CodeVectorEnv):
    """``LineEnv``, many at once, with the keywords of both."""

    config_type = LineEnvConfig
