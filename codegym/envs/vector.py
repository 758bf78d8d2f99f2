"""The native vector environments: shells around a batch, with autoreset."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, wait
from typing import Any, ClassVar, Unpack

import numpy as np
from gymnasium.error import ResetNeeded
from gymnasium.utils import seeding
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space
from numpy.typing import NDArray

from codegym.envs.batch import EpisodeBatch, StepResult
from codegym.envs.config import EnvConfig, EnvKeywords, LineEnvConfig, make_config, shows_keywords
from codegym.envs.env import RENDER_MODES, check_render_mode
from codegym.envs.infos import Info, merge_infos
from codegym.envs.state import EpisodeState
from codegym.plugins import suggest
from codegym.render import ansi, rgb_array

Bools = NDArray[np.bool_]


class CodeVectorEnv(VectorEnv[Any, Any, NDArray[Any]]):
    """Common base of ``TokenVectorEnv`` and ``LineVectorEnv``: many episodes in slots, one process.

    With the same seed, slot ``i`` is bit for bit the single environment with seed ``seed + i``.

    ``autoreset_mode`` decides what happens after an episode has ended. Pass it to ``gym.make_vec`` as a keyword:
    Gymnasium takes ``vector_kwargs`` only with ``vectorization_mode="sync"`` or ``"async"``.

    | mode | meaning |
    |---|---|
    | "SameStep" (default) | the slot begins the next episode at once; ``infos["final_obs"]`` and \
``infos["final_info"]`` hold the end of the last one |
    | "NextStep" | the next step resets the slot and ignores its action |
    | "Disabled" | nothing, until ``reset(options={"reset_mask": ...})`` |

    "SameStep" is what ``SB3VecEnv`` needs and wastes no step. "NextStep" is Gymnasium's own default: choose it for
    CleanRL, skrl and AgileRL, and for Gymnasium's vector wrappers of observations (``FlattenObservation``,
    ``NormalizeObservation``), which refuse "SameStep"; ``RecordEpisodeStatistics`` works with both. "Disabled" is for
    policies that write whole completions.

    Args:
        num_envs: Number of slots.
        autoreset_mode: "SameStep", "NextStep" or "Disabled", see above.
        copy: Copy observations; otherwise an observation changes with the next step.
        overlap: Do not wait for verdicts. While the program in a slot is judged, ``infos["waiting"]`` is True for the
            slot, its reward is 0 and its action is ignored; when the verdict has arrived, the slot ends.
        render_mode: Form of ``render``: "ansi", "human", "rgb_array", or None.
        keywords: Keywords of the single environment.

    Raises:
        ValueError: ``num_envs`` is not a whole number above 0, or there is no such mode.
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
        **keywords: Unpack[EnvKeywords],
    ) -> None:
        if type(num_envs) is not int or num_envs < 1:
            raise ValueError(f"wrong num_envs: got {num_envs!r}; expected a whole number above 0")
        check_render_mode(render_mode)
        self.num_envs = num_envs
        self.render_mode = render_mode
        self._keywords = keywords
        self.autoreset_mode = _autoreset_mode(autoreset_mode)
        self.metadata = {"render_modes": RENDER_MODES, "render_fps": 10, "autoreset_mode": self.autoreset_mode}
        self.copy = copy
        self.overlap = overlap
        self.batch = EpisodeBatch(make_config(self.config_type, keywords, own=_OWN_KEYWORDS), num_envs)
        self.single_action_space = self.batch.actions.space
        self.action_space = batch_space(self.single_action_space, num_envs)
        self.single_observation_space = self.batch.observation.space
        self.observation_space = batch_space(self.single_observation_space, num_envs)
        self._rngs = [seeding.np_random()[0] for _ in range(num_envs)]
        self._done = np.ones(num_envs, np.bool_)  # nothing to step before reset
        self._slots = np.arange(num_envs)
        self._pending: list[int] = []  # slots whose verdict has not arrived, with ``overlap``
        self._unscored: list[int] = []  # slots of a step in which the line scorer failed

    def reset(
        self, *, seed: int | Sequence[int | None] | None = None, options: Mapping[str, Any] | None = None
    ) -> tuple[Any, Info]:
        """Begin episodes in all slots, or in those of ``options["reset_mask"]``.

        Args:
            seed: Slot ``i`` is seeded with ``seed + i``, or with ``seed[i]``; None keeps the generator of each slot.
            options: ``task_id`` and ``prefix`` as in the single environment, for all slots or a list with one for
                each; ``reset_mask`` is a boolean array, [num_envs]. They are for this reset only: a slot that is reset
                after the end of its program draws a task.

        Raises:
            ValueError: There is no such option, or a list has the wrong length.
            KeyError: There is no task of that id.
        """
        chosen = dict(options or {})
        slots: list[int] = np.flatnonzero(_checked_mask(chosen.pop("reset_mask", None), self.num_envs)).tolist()
        seeds = self._seeds(seed)
        slot_infos: list[tuple[int, Info]] = []
        for slot in slots:
            if seeds[slot] is not None:
                self._rngs[slot] = seeding.np_random(seeds[slot])[0]
            info = self.batch.start(slot, self._rngs[slot], {key: self._of_slot(chosen, key, slot) for key in chosen})
            slot_infos.append((slot, info))
        self._done[slots] = False
        self._pending = [slot for slot in self._pending if slot not in slots]
        self._unscored = [slot for slot in self._unscored if slot not in slots]
        return self._observe(), self._with_masks(merge_infos(slot_infos, self.num_envs), slots)

    def _seeds(self, seed: int | Sequence[int | None] | None) -> Sequence[int | None]:
        if seed is None:
            return [None] * self.num_envs
        if isinstance(seed, (int, np.integer)):
            return [int(seed) + slot for slot in range(self.num_envs)]
        if len(seed) != self.num_envs:
            raise ValueError(f"wrong number of seeds: got {len(seed)}; expected one for each of {self.num_envs} slots")
        return seed

    def _of_slot(self, options: Mapping[str, Any], key: str, slot: int) -> Any:
        """Return the option of one slot; a list of token ids is one prefix for all slots."""
        value = options[key]
        if not isinstance(value, (list, tuple)):
            return value
        if key == "prefix" and all(isinstance(token, (int, np.integer)) for token in value):
            return value
        if len(value) != self.num_envs:
            raise ValueError(
                f"wrong number of values for {key!r}: got {len(value)}; expected one for each of {self.num_envs} slots"
            )
        return value[slot]

    def step(self, actions: Any) -> tuple[Any, NDArray[np.float64], Bools, Bools, Info]:
        """Append one action to the program in each slot.

        Args:
            actions: One action for each slot.

        Raises:
            InvalidAction: One of them is not an action of the action space; all episodes are unchanged.
            LineScorerError: The line scorer broke its contract; the actions are kept, and the next step reports them.
            ResetNeeded: A slot has had no reset, or its episode has ended and the autoreset mode does not reset it.
        """
        resets = self._due_resets()
        slots = self._append(actions, resets)
        rewards = np.zeros(self.num_envs)
        terminations, truncations = np.zeros(self.num_envs, np.bool_), np.zeros(self.num_envs, np.bool_)
        results = self.batch.advance(slots)
        self._unscored = []
        slot_infos = [(slot, self._start(slot)) for slot in resets]
        for slot, result in zip(slots, results, strict=True):
            rewards[slot], terminations[slot], truncations[slot] = result[:3]
            if result.last is None:
                slot_infos.append((slot, result.info))
            else:
                slot_infos += self._end(slot, result.info)
        slot_infos += [(slot, {"waiting": True}) for slot in self._pending]
        infos = merge_infos(slot_infos, self.num_envs)
        return self._observe(), rewards, terminations, truncations, self._with_masks(infos, range(self.num_envs))

    def append_chunk(self, slot: int, tokens: Sequence[int]) -> None:
        """Append a chunk of any length to the program in a slot; judging starts if the program has ended.

        For policies that write whole completions: ``reset``, ``append_chunk`` to each slot, ``finish``, ``reset``.
        Rewards and credit are those of the same program written token by token.

        Args:
            slot: Slot whose program has not ended.
            tokens: Token ids; those after the end of the program are ignored.

        Raises:
            InvalidAction: They are not token ids; the program is unchanged.
            ResetNeeded: There is no episode in this slot, or its program has ended.
        """
        self.batch.append_chunk(slot, tokens)

    def finish(self) -> list[StepResult]:
        """Return what is new in every slot since the last report; blocks for verdicts. Reset ended slots afterwards.

        Raises:
            LineScorerError: The line scorer broke its contract; ``finish`` can be called again.
            ResetNeeded: The episode of a slot has ended and was reported before.
        """
        if self._done.any():
            raise ResetNeeded(f"slots {np.flatnonzero(self._done).tolist()} have ended: call reset first")
        results = self.batch.advance(range(self.num_envs))
        self._done[:] = [result.last is not None for result in results]
        return results

    def _due_resets(self) -> list[int]:
        due: list[int] = np.flatnonzero(self._done).tolist()
        resets_itself = self.autoreset_mode is AutoresetMode.NEXT_STEP and all(map(self.batch.has_episode, due))
        if due and not resets_itself:
            raise ResetNeeded(f"no episode to step in slots {due}: call reset first")
        return due

    def _append(self, actions: Any, resets: Sequence[int]) -> list[int]:
        """Append actions to the programs that are being written and return the slots to report."""
        idle = [*resets, *self._pending, *filter(self.batch.has_ended, self._unscored)]
        slots = np.setdiff1d(self._slots, idle) if idle else None
        changed = self.batch.act_all(actions, slots)
        if self._unscored:
            changed = sorted({*changed, *self._unscored})
        self._unscored = changed
        if not self.overlap:
            return changed
        self.batch.settle(changed)
        self._unscored = []
        return self._ready_slots(changed)

    def _ready_slots(self, changed: Sequence[int]) -> list[int]:
        """Return the slots that can be reported without waiting for a verdict; the others stay pending."""
        candidates = [*self._pending, *changed]
        pending = [verdict for slot in candidates if (verdict := self.batch.pending_verdict(slot)) is not None]
        if len(pending) == self.num_envs:  # no slot has anything else to do
            wait(pending, return_when=FIRST_COMPLETED)
        self._pending = [slot for slot in candidates if self.batch.pending_verdict(slot) is not None]
        return [slot for slot in candidates if slot not in self._pending]

    def _end(self, slot: int, info: Info) -> list[tuple[int, Info]]:
        """Return the infos of a slot whose episode has ended; with "SameStep", begin the next episode."""
        if self.autoreset_mode is not AutoresetMode.SAME_STEP:
            self._done[slot] = True
            return [(slot, info)]
        last = {"final_obs": self.batch.observation.observe(slot), "final_info": self.batch.with_mask(slot, info)}
        return [(slot, last), (slot, self._start(slot))]

    def _start(self, slot: int) -> Info:
        self._done[slot] = False
        return self.batch.start(slot, self._rngs[slot])

    def _observe(self) -> Any:
        return self.batch.observation.observe_all(self.copy)

    def _with_masks(self, infos: Info, slots: Sequence[int]) -> Info:
        """Add the action masks of ``slots``, unless masks are switched off."""
        if self.batch.config.mask is not None:
            infos["action_mask"] = self.batch.action_masks(slots)
            infos["_action_mask"] = np.full(self.num_envs, len(slots) == self.num_envs)
            if len(slots) < self.num_envs:
                infos["_action_mask"][slots] = True
        return infos

    def action_masks(self) -> Bools:
        """Return which actions are allowed next in each slot, bool, [num_envs, ...]."""
        return np.stack([self.batch.actions.mask(self.batch.action_mask(slot)) for slot in range(self.num_envs)])

    @property
    def num_tokens(self) -> NDArray[np.int64]:
        """Tokens of the completion in each slot, [num_envs]."""
        return self.batch.num_tokens

    def get_state(self, slot: int) -> EpisodeState:
        """Copy the episode in ``slot`` and the state of its generator.

        Raises:
            ResetNeeded: The slot has had no reset yet.
        """
        return self.batch.get_state(slot, self._rngs[slot])

    def set_state(self, slot: int, state: EpisodeState) -> None:
        """Continue a slot from a state, of this environment or of another one with the same tokenizer and sizes.

        Args:
            slot: Slot to fill.
            state: Copied state of an episode.

        Raises:
            ValueError: The state was copied with another tokenizer, or does not fit into the sizes.
        """
        self.batch.set_state(slot, state, self._rngs[slot])
        is_reported = state.returns.last is not None
        self._done[slot] = is_reported
        self._pending = [other for other in self._pending if other != slot]
        self._unscored = [other for other in self._unscored if other != slot]
        if state.episode.ended and not is_reported:
            self._unscored.append(slot)

    def __getstate__(self) -> dict[str, Any]:
        slots = range(self.num_envs)
        return {
            "keywords": {name: getattr(self, name) for name in _OWN_KEYWORDS} | self._keywords,
            "spec": self.spec,
            "rngs": self._rngs,
            "done": self._done,
            "episodes": [self.get_state(slot) if self.batch.has_episode(slot) else None for slot in slots],
        }

    def __setstate__(self, state: dict[str, Any]) -> None:
        CodeVectorEnv.__init__(self, **state["keywords"])
        self.spec, self._rngs = state["spec"], state["rngs"]
        for slot, episode in enumerate(state["episodes"]):
            if episode is not None:
                self.set_state(slot, episode)
        self._done = state["done"]

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
        """Close the sandbox, if this environment opened one.

        Args:
            kwargs: Ignored; Gymnasium passes them on from ``close``.
        """
        self.batch.close()


_OWN_KEYWORDS = ("num_envs", "autoreset_mode", "copy", "overlap", "render_mode")


def _autoreset_mode(value: AutoresetMode | str) -> AutoresetMode:
    try:
        return AutoresetMode(value)
    except ValueError:
        modes = [mode.value for mode in AutoresetMode]
        raise ValueError(
            f"wrong autoreset_mode: got {value!r}{suggest(str(value), modes)}; expected one of {', '.join(modes)}"
        ) from None


def _checked_mask(mask: Any, num_envs: int) -> Bools:
    """Return the slots to reset: all, or those of a boolean array with at least one True."""
    if mask is None:
        return np.ones(num_envs, np.bool_)
    if not isinstance(mask, np.ndarray) or mask.dtype != np.bool_ or mask.shape != (num_envs,) or not mask.any():
        raise ValueError(
            f"wrong reset_mask: got {mask!r}; expected a boolean array of shape ({num_envs},) with a True in it"
        )
    return mask


@shows_keywords(EnvConfig)
class TokenVectorEnv(CodeVectorEnv):
    """Many ``TokenEnv`` at once, with the keywords of ``TokenEnv`` and of ``CodeVectorEnv``."""


@shows_keywords(LineEnvConfig)
class LineVectorEnv(CodeVectorEnv):
    """Many ``LineEnv`` at once, with the keywords of ``LineEnv`` and of ``CodeVectorEnv``."""

    config_type = LineEnvConfig
