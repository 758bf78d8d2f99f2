"""Copies of an episode: to return to it, to branch from it, to send it to another process."""

from __future__ import annotations

import copy
from concurrent.futures import Future
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from codegym.envs.dynamics import CodeDynamics, Episode, Tokens
from codegym.errors import SandboxError
from codegym.judge import Verdict
from codegym.step import Step


@dataclass(slots=True)
class EpisodeReturns:
    """Rewards of one episode so far."""

    total: float = 0.0
    """Sum of all rewards."""
    terms: dict[str, float] = field(default_factory=dict)
    """Sum of the rewards of each reward term, by name."""
    lines: list[float] = field(default_factory=list)
    """Reward of each line that the policy closed."""
    last: Step | None = None
    """Last step of the episode; None until it has been reported."""

    def copy(self) -> EpisodeReturns:
        """Return an independent copy."""
        return replace(self, terms=dict(self.terms), lines=list(self.lines))


@dataclass(frozen=True)
class EpisodeState:
    """One episode at one moment, with the state of the generator that draws the next tasks; can be pickled.

    It fits every environment with the same tokenizer and with sizes that are large enough.
    """

    context: Tokens
    """Tokens of prompt and completion, [length]."""
    episode: Episode
    """State of the episode, except tokens and verdict."""
    verdict: Verdict | None
    """Verdict of a program that has ended; None before, and if the machine failed."""
    failure: str | None
    """Reason why the machine could not judge the program, if it could not."""
    returns: EpisodeReturns
    """Rewards so far."""
    rng_state: dict[str, Any]
    """State of the generator that draws tasks."""
    vocabulary: str
    """Digest of the tokenizer's vocabulary."""


def snapshot(dynamics: CodeDynamics, returns: EpisodeReturns, slot: int, rng: np.random.Generator) -> EpisodeState:
    """Copy the episode in a slot. Blocks for the verdict if the program has ended.

    Args:
        dynamics: Slots to copy from.
        returns: Rewards of the episode.
        slot: Slot of the episode.
        rng: Generator that draws the tasks of the slot.
    """
    episode, failure = dynamics.episode(slot), dynamics.failure(slot)
    return EpisodeState(
        context=dynamics.tokens[slot, : dynamics.lengths[slot]].copy(),
        episode=replace(episode, lines=list(episode.lines), texts=list(episode.texts), verdict=None),
        verdict=None if failure is not None or episode.verdict is None else episode.verdict.result(),
        failure=failure,
        returns=returns.copy(),
        rng_state=copy.deepcopy(dict(rng.bit_generator.state)),
        vocabulary=dynamics.vocabulary_digest,
    )


def restore(dynamics: CodeDynamics, state: EpisodeState, slot: int, rng: np.random.Generator) -> EpisodeReturns:
    """Put a copied episode into a slot and return its rewards.

    Args:
        dynamics: Slots to write to.
        state: Copied state of an episode.
        slot: Slot to fill.
        rng: Generator of the slot, which is set to its state at the time of the copy.

    Raises:
        ValueError: The state was copied with another tokenizer, or does not fit into the sizes.
    """
    _check_fits(dynamics, state)
    episode = replace(state.episode, lines=list(state.episode.lines), texts=list(state.episode.texts))
    if episode.ended:
        episode.verdict = Future()
        if state.verdict is None:
            episode.verdict.set_exception(SandboxError(state.failure or "unknown"))
        else:
            episode.verdict.set_result(state.verdict)
    dynamics.put(slot, episode, state.context)
    rng.bit_generator.state = copy.deepcopy(state.rng_state)
    return state.returns.copy()


def _check_fits(dynamics: CodeDynamics, state: EpisodeState) -> None:
    if not isinstance(state, EpisodeState):
        raise TypeError(f"wrong type of state: got {type(state).__name__}; expected the result of get_state()")
    if state.vocabulary != dynamics.vocabulary_digest:
        raise ValueError(
            "state of another tokenizer: its vocabulary differs from the one of this environment, so its token ids "
            "mean other text. Make both environments with the same tokenizer="
        )
    num_prompt, num_written = state.episode.num_prompt, len(state.context) - state.episode.num_prompt
    if num_prompt > dynamics.max_prompt_tokens or num_written > dynamics.max_tokens - (not state.episode.ended):
        raise ValueError(
            f"state too large: got {num_prompt} tokens of prompt and {num_written} of completion; expected at most "
            f"max_prompt_tokens={dynamics.max_prompt_tokens} and room for one more token in "
            f"max_tokens={dynamics.max_tokens}"
        )
