"""Kinds of actions, and checks of the actions of an agent before anything changes."""

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
    """Return ``action`` as a token id.

    Args:
        action: Action from an agent.
        vocab_size: Size of the vocabulary; ids are below it.

    Raises:
        InvalidAction: It is not a whole number, or not an id of the vocabulary.
    """
    try:
        if action is True or action is False:
            raise TypeError
        token = operator.index(action)
    except TypeError:
        raise InvalidAction(f"wrong action: got {_shown(action)}; expected a whole number, the id of a token") from None
    if not 0 <= token < vocab_size:
        raise InvalidAction(f"no such token: got {token}; expected an id from 0 to {vocab_size - 1}")
    return token


def check_tokens(actions: Any, vocab_size: int, shape: tuple[int, ...] | None = None) -> NDArray[np.int64]:
    """Return ``actions`` as an array of token ids.

    Args:
        actions: Whole numbers from an agent.
        vocab_size: Size of the vocabulary; ids are below it.
        shape: Shape that the array must have; None accepts any sequence, [n].

    Raises:
        InvalidAction: They are no whole numbers or no ids of the vocabulary, or have another shape.
    """
    try:
        tokens = np.asarray(actions)
    except ValueError:  # rows of several lengths
        raise InvalidAction(f"wrong actions: got {_shown(actions)}; expected whole numbers, ids of tokens") from None
    if tokens.dtype.kind not in "iu" and tokens.size:
        raise InvalidAction(
            f"wrong actions: got {_shown(actions)} of dtype {tokens.dtype}; expected whole numbers, ids of tokens"
        )
    if tokens.shape != shape and (shape is not None or tokens.ndim != 1):
        expected = "a sequence of ids" if shape is None else f"shape {shape}"
        raise InvalidAction(f"wrong shape of actions: got {tokens.shape}; expected {expected}")
    if tokens.size and (tokens.min() < 0 or tokens.max() >= vocab_size):
        wrong = tokens[(tokens < 0) | (tokens >= vocab_size)].ravel()[0]
        raise InvalidAction(f"no such token: got {wrong}; expected an id from 0 to {vocab_size - 1}")
    return tokens.astype(np.int64, copy=False)


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."


class TokenActions:
    """Actions of one token each.

    Args:
        tokenizer: Tokenizer whose ids the actions are.
    """

    def __init__(self, tokenizer: Tokenizer) -> None:
        self.vocab_size = tokenizer.vocab_size
        self.space = spaces.Discrete(self.vocab_size)
        self._one = np.zeros(1, np.int64)

    def apply(self, dynamics: CodeDynamics, action: Any) -> bool:
        """Append an action to slot 0 and return whether a line or the program may have ended.

        Args:
            dynamics: Slots to write to.
            action: Action from an agent.

        Raises:
            InvalidAction: It is no such action; nothing has changed.
        """
        self._one[0] = check_token(action, self.vocab_size)
        return dynamics.append(self._one).size > 0

    def apply_all(self, dynamics: CodeDynamics, actions: Any, slots: NDArray[np.intp] | None) -> NDArray[np.intp]:
        """Append one action to each slot and return the slots in which a line or the program may have ended.

        Args:
            dynamics: Slots to write to.
            actions: One action for each slot of ``dynamics``.
            slots: Slots whose program has not ended; None for all.

        Raises:
            InvalidAction: One of them is no such action; nothing has changed.
        """
        tokens = check_tokens(actions, self.vocab_size, (len(dynamics.episodes),))
        return dynamics.append(tokens if slots is None else tokens[slots], slots)

    def mask(self, tokens: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Return the mask of an action.

        Args:
            tokens: Mask of its next token, bool [vocab_size].
        """
        return tokens


class LineActions:
    """Actions of tokens up to the end of a line; everything after the first newline or end of sequence is padding.

    Text is an action as well: it is tokenised, may have several lines, and "" ends the program.

    Args:
        tokenizer: Tokenizer whose ids the actions hold.
        max_line_tokens: Tokens of one action.

    Raises:
        ValueError: ``max_line_tokens`` is not a whole number above 0.
    """

    def __init__(self, tokenizer: Tokenizer, max_line_tokens: int) -> None:
        if type(max_line_tokens) is not int or max_line_tokens < 1:
            raise ValueError(f"wrong max_line_tokens: got {max_line_tokens!r}; expected a whole number above 0")
        self.tokenizer = tokenizer
        self.max_line_tokens = max_line_tokens
        self.space = spaces.MultiDiscrete([tokenizer.vocab_size] * max_line_tokens)

    def apply(self, dynamics: CodeDynamics, action: Any) -> bool:
        """Append an action to slot 0 and return True: a line may have ended.

        Args:
            dynamics: Slots to write to.
            action: Action from an agent.

        Raises:
            InvalidAction: It is no such action; nothing has changed.
        """
        chunk, by_line = self._read(action)
        dynamics.append_chunk(0, chunk, one_line=by_line)
        return True

    def apply_all(self, dynamics: CodeDynamics, actions: Any, slots: NDArray[np.intp] | None) -> NDArray[np.intp]:
        """Append one action to each slot and return all slots: in each a line may have ended.

        Args:
            dynamics: Slots to write to.
            actions: One action for each slot of ``dynamics``.
            slots: Slots whose program has not ended; None for all.

        Raises:
            InvalidAction: One of them is no such action; nothing has changed.
        """
        if not isinstance(actions, (np.ndarray, list, tuple)) or len(actions) != len(dynamics.episodes):
            raise InvalidAction(
                f"wrong actions: got {_shown(actions)}; expected one for each of {len(dynamics.episodes)} slots"
            )
        chosen = np.arange(len(actions)) if slots is None else slots
        chunks = [self._read(actions[slot]) for slot in chosen]
        for slot, (chunk, by_line) in zip(chosen.tolist(), chunks, strict=True):
            dynamics.append_chunk(slot, chunk, one_line=by_line)
        return chosen

    def _read(self, action: Any) -> tuple[NDArray[np.int64], bool]:
        """Return the tokens of an action, and whether they end with the first line."""
        if isinstance(action, str):
            return np.array(self._encode(action), np.int64), False
        chunk = check_tokens(action, self.tokenizer.vocab_size)
        if not chunk.size:
            raise InvalidAction(
                "empty action: got no token; expected at least one. The end-of-sequence token ends the program"
            )
        return chunk, True

    def _encode(self, text: str) -> list[int]:
        try:
            return self.tokenizer.encode(text) if text else [self.tokenizer.eos_token_id]
        except ValueError as error:
            raise InvalidAction(f"wrong text of an action: {error}") from None

    def mask(self, tokens: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Return the mask of an action, bool [max_line_tokens * vocab_size].

        Args:
            tokens: Mask of its next token, bool [vocab_size].
        """
        return np.tile(tokens, self.max_line_tokens)


Actions = TokenActions | LineActions
