"""Copies of an episode: to go back to, to fork from, to send elsewhere."""

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
    """What was paid in one episode."""

    total: float = 0.0
    terms: dict[str, float] = field(default_factory=dict)
    lines: list[float] = field(default_factory=list)
    """What was paid for each line that the policy closed."""
    last: Step | None = None
    """The last step, once the episode has ended."""

    def copy(self) -> EpisodeReturns:
        """Copy it, so that neither changes with the other."""
        return replace(self, terms=dict(self.terms), lines=list(self.lines))


@dataclass(frozen=True)
class EpisodeState:
    """One episode at one moment, with the state of the generator that draws the next ones; can be pickled.

    It fits every environment with the same tokenizer and the same sizes.
    """

    context: Tokens
    """[length]: tokens of prompt and completion."""
    episode: Episode
    verdict: Verdict | None
    """Of a program that has ended; None there where the machine failed."""
    returns: EpisodeReturns
    rng_state: dict[str, Any]


def snapshot(dynamics: CodeDynamics, returns: EpisodeReturns, slot: int, rng: np.random.Generator) -> EpisodeState:
    """Copy the episode in a slot; waits for the verdict of a program that has ended."""
    episode = dynamics.episodes[slot]
    if episode is None:
        raise ValueError("there is no episode yet: call reset first")
    verdict = None
    if episode.verdict is not None and episode.verdict.exception() is None:
        verdict = episode.verdict.result()
    kept = replace(episode, lines=list(episode.lines), texts=list(episode.texts), verdict=None)
    context = dynamics.tokens[slot, : dynamics.lengths[slot]].copy()
    return EpisodeState(context, kept, verdict, returns.copy(), copy.deepcopy(dict(rng.bit_generator.state)))


def restore(dynamics: CodeDynamics, state: EpisodeState, slot: int, rng: np.random.Generator) -> EpisodeReturns:
    """Put a copied episode into a slot and return its returns; ``rng`` goes on from where it was."""
    episode = replace(state.episode, lines=list(state.episode.lines), texts=list(state.episode.texts))
    num_written = len(state.context) - episode.num_prompt
    if episode.num_prompt > dynamics.max_prompt_tokens or num_written > dynamics.max_tokens - (not episode.ended):
        raise ValueError(
            f"the state does not fit: it has {episode.num_prompt} tokens of prompt and {num_written} of completion, "
            f"here max_prompt_tokens={dynamics.max_prompt_tokens} and max_tokens={dynamics.max_tokens}"
        )
    if episode.ended:
        episode.verdict = Future()
        if state.verdict is None:
            episode.verdict.set_exception(SandboxError("the machine failed when this program was judged"))
        else:
            episode.verdict.set_result(state.verdict)
    dynamics.put(slot, episode, state.context)
    rng.bit_generator.state = copy.deepcopy(state.rng_state)
    return state.returns.copy()
