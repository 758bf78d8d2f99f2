"""Kinds of actions, and checks of what an agent hands in before anything changes."""

from __future__ import annotations

import operator
from typing import Any

import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from codegym.envs.dynamics import CodeDynamics
from codegym.errors import InvalidAction
from codegym.tokenizers import Tokenizer


def check_token(action: Any, vocab_size: int) -> int:
    """Read one token id.

    Raises:
        InvalidAction: not a whole number, or not an id of the vocabulary.
    """
    try:
        if action is True or action is False:
            raise TypeError
        token = operator.index(action)
    except TypeError:
        raise InvalidAction(f"an action is a whole number, the id of a token; got {_shown(action)}") from None
    if not 0 <= token < vocab_size:
        raise InvalidAction(f"there is no token {token}: ids go from 0 to {vocab_size - 1}")
    return token


def check_tokens(actions: Any, vocab_size: int, shape: tuple[int, ...] | None = None) -> NDArray[np.int64]:
    """Read token ids as an array.

    Args:
        actions: whole numbers.
        vocab_size: ids are below it.
        shape: wanted shape; None takes any sequence, [n].

    Raises:
        InvalidAction: other than whole numbers, ids that do not exist, or another shape.
    """
    try:
        tokens = np.asarray(actions)
    except ValueError:  # rows of several lengths
        raise InvalidAction(f"actions are whole numbers, ids of tokens; got {_shown(actions)}") from None
    if tokens.dtype.kind not in "iu" and tokens.size:
        raise InvalidAction(f"actions are whole numbers, ids of tokens; got {_shown(actions)} of dtype {tokens.dtype}")
    if tokens.shape != shape and (shape is not None or tokens.ndim != 1):
        wanted = "a sequence of ids" if shape is None else f"shape {shape}"
        raise InvalidAction(f"wanted {wanted}, got an array of shape {tokens.shape}")
    if tokens.size and (tokens.min() < 0 or tokens.max() >= vocab_size):
        wrong = tokens[(tokens < 0) | (tokens >= vocab_size)].ravel()[0]
        raise InvalidAction(f"there is no token {wrong}: ids go from 0 to {vocab_size - 1}")
    return tokens.astype(np.int64, copy=False)


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."


class TokenActions:
    """Actions that are one token each."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        self.vocab_size = tokenizer.vocab_size
        self.space = spaces.Discrete(self.vocab_size)
        self._one = np.zeros(1, np.int64)

    def apply(self, dynamics: CodeDynamics, action: Any) -> bool:
        """Append an action to slot 0; True where a line or the program ended."""
        self._one[0] = check_token(action, self.vocab_size)
        return dynamics.append(self._one).size > 0

    def apply_all(self, dynamics: CodeDynamics, actions: Any, slots: NDArray[np.intp] | None) -> NDArray[np.intp]:
        """Append actions, [num_slots], to ``slots`` (None: all); those slots where a line or the program ended."""
        tokens = check_tokens(actions, self.vocab_size, (len(dynamics.episodes),))
        return dynamics.append(tokens if slots is None else tokens[slots], slots)

    def mask(self, tokens: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """The mask of an action, of the mask of its tokens."""
        return tokens


class LineActions:
    """Actions that are tokens up to the end of a line; what stands after the first newline or end is padding.

    Text is an action as well: it is tokenised, may have several lines, and "" ends the program.
    """

    def __init__(self, tokenizer: Tokenizer, max_line_tokens: int) -> None:
        if type(max_line_tokens) is not int or max_line_tokens < 1:
            raise ValueError(f"max_line_tokens must be a whole number above 0, got {max_line_tokens!r}")
        self.tokenizer = tokenizer
        self.max_line_tokens = max_line_tokens
        self.space = spaces.MultiDiscrete([tokenizer.vocab_size] * max_line_tokens)

    def apply(self, dynamics: CodeDynamics, action: Any) -> bool:
        """Append an action to slot 0; True, since a line may have ended."""
        chunk, by_line = self._read(action)
        dynamics.append_chunk(0, chunk, one_line=by_line)
        return True

    def apply_all(self, dynamics: CodeDynamics, actions: Any, slots: NDArray[np.intp] | None) -> NDArray[np.intp]:
        """Append actions, one for each slot, to ``slots`` (None: all), and return those."""
        if not isinstance(actions, (np.ndarray, list, tuple)) or len(actions) != len(dynamics.episodes):
            raise InvalidAction(f"wanted one action for each of {len(dynamics.episodes)} slots, got {_shown(actions)}")
        chosen = np.arange(len(actions)) if slots is None else slots
        chunks = [self._read(actions[slot]) for slot in chosen]
        for slot, (chunk, by_line) in zip(chosen.tolist(), chunks, strict=True):
            dynamics.append_chunk(slot, chunk, one_line=by_line)
        return chosen

    def _read(self, action: Any) -> tuple[NDArray[np.int64], bool]:
        """The tokens of an action and whether they go to the end of the first line only."""
        if isinstance(action, str):
            return np.array(self._encode(action), np.int64), False
        chunk = check_tokens(action, self.tokenizer.vocab_size)
        if not chunk.size:
            raise InvalidAction("an action needs at least one token; the end-of-sequence token ends the program")
        return chunk, True

    def _encode(self, text: str) -> list[int]:
        try:
            return self.tokenizer.encode(text) if text else [self.tokenizer.eos_token_id]
        except ValueError as error:
            raise InvalidAction(f"this text is no action: {error}") from None

    def mask(self, tokens: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """The mask of an action, [max_line_tokens * vocab_size], of the mask of its tokens."""
        return np.tile(tokens, self.max_line_tokens)


Actions = TokenActions | LineActions
