"""Observations: what a policy sees of the episode in a slot."""

from __future__ import annotations

from typing import Any, cast

import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from codegym.envs.dynamics import CodeDynamics

Observation = dict[str, NDArray[np.int32]]
"""Observation of the form "dict"; that of the form "one_hot" is one array."""


class DictObservation:
    """Token ids of prompt and completion with their lengths, as a dictionary of int32 arrays.

    Args:
        dynamics: Slots to observe.
    """

    def __init__(self, dynamics: CodeDynamics) -> None:
        self.dynamics = dynamics
        room = dynamics.max_prompt_tokens + dynamics.max_tokens
        space = spaces.Dict(
            {
                "tokens": spaces.Box(0, dynamics.tokenizer.vocab_size - 1, (room,), np.int32),
                "length": spaces.Box(0, room, (1,), np.int32),
                "prompt_length": spaces.Box(0, dynamics.max_prompt_tokens, (1,), np.int32),
            }
        )
        self.space = cast("spaces.Space[Observation]", space)

    def observe(self, slot: int) -> Observation:
        """Return a copy of the observation of ``slot``."""
        dynamics = self.dynamics
        return {
            "tokens": dynamics.tokens[slot].copy(),
            "length": np.array([dynamics.lengths[slot]], np.int32),
            "prompt_length": np.array([dynamics.prompt_lengths[slot]], np.int32),
        }

    def observe_all(self, copy: bool) -> Observation:
        """Return the observations of all slots.

        Args:
            copy: Copy the tokens; otherwise the next step changes them.
        """
        dynamics = self.dynamics
        return {
            "length": dynamics.lengths[:, None].astype(np.int32),
            "prompt_length": dynamics.prompt_lengths[:, None].astype(np.int32),
            "tokens": dynamics.tokens.copy() if copy else dynamics.tokens,
        }


class OneHotObservation:
    """The last tokens of prompt and completion as one flat vector of zeros and ones, oldest token first.

    Learners for vectors (a multilayer perceptron on a ``Box``) take it without any change. Token ``i`` of the window is
    the block ``[i * vocab_size : (i + 1) * vocab_size]``; blocks before the beginning of the prompt are zero.

    Args:
        dynamics: Slots to observe.
        window: Number of tokens.
    """

    def __init__(self, dynamics: CodeDynamics, window: int) -> None:
        self.dynamics = dynamics
        self.window = window
        self.vocab_size = dynamics.tokenizer.vocab_size
        box = spaces.Box(0, 1, (window * self.vocab_size,), np.float32)
        self.space = cast("spaces.Space[Any]", box)
        self._slots = np.arange(len(dynamics.episodes))
        self._offsets = np.arange(-window, 0)

    def observe(self, slot: int) -> NDArray[np.float32]:
        """Return the observation of ``slot``, [window * vocab_size]."""
        row: NDArray[np.float32] = self._encode(np.array([slot]))[0]
        return row

    def observe_all(self, copy: bool) -> NDArray[np.float32]:
        """Return the observations of all slots, [num_slots, window * vocab_size].

        Args:
            copy: Without effect: the array is always a new one.
        """
        return self._encode(self._slots)

    def _encode(self, slots: NDArray[np.intp]) -> NDArray[np.float32]:
        places = self.dynamics.lengths[slots, None] + self._offsets  # [slots, window]
        rows, columns = (places >= 0).nonzero()
        encoded = np.zeros((len(slots), self.window, self.vocab_size), np.float32)
        encoded[rows, columns, self.dynamics.tokens[slots[rows], places[rows, columns]]] = 1
        return encoded.reshape(len(slots), -1)
