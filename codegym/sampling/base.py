"""The sampler protocol: a callable that completes prefixes of programs, and what sampling costs.

A sampler is any callable of this form, so that every policy and every decode loop can label, evaluate and train.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import NamedTuple

from codegym.tasks.record import Task


class PrefixRequest(NamedTuple):
    """A prefix that wants to be completed."""

    task: Task
    text: str
    """Whole lines of a program, none for ``""``."""
    num_completions: int
    seed: int
    """Of their randomness: a sampler that takes it from here and nowhere else gives the same whatever else is asked."""


class Completion(NamedTuple):
    """What a sampler wrote after a prefix."""

    text: str
    """Without the prefix."""
    num_tokens: int


Sampler = Callable[[Sequence[PrefixRequest]], Sequence[Sequence[Completion]]]
"""Completes prefixes: for each request, in order, as many completions as it wants."""


@dataclass
class LabelingCost:
    """What labels have cost."""

    completions: int = 0
    tokens: int = 0
    """Sampled tokens of the completions, those of their prefixes not counted."""
    executions: int = 0
    """Programs given to the judge; equal ones of one round count once."""
    rounds: int = 0
    """Calls of the sampler."""
    cache_hits: int = 0
    """Prefixes that were known already when they were asked for."""

    def __add__(self, other: LabelingCost) -> LabelingCost:
        mine, others = asdict(self), asdict(other)
        return LabelingCost(**{name: mine[name] + others[name] for name in mine})


def derive_seed(*parts: object) -> int:
    """Give a seed of 63 bits that depends on every part and is the same in every process."""
    return int.from_bytes(hashlib.blake2b(repr(parts).encode("utf-8", "replace"), digest_size=8).digest()) >> 1


def complete(
    sampler: Sampler, requests: Sequence[PrefixRequest], spent: LabelingCost
) -> Sequence[Sequence[Completion]]:
    """Ask a sampler and write down what it cost.

    Raises:
        ValueError: it did not give as many completions as were wanted.
    """
    answers = sampler(requests)
    if [len(answer) for answer in answers] != [request.num_completions for request in requests]:
        raise ValueError("the sampler must give, for each request in order, as many completions as it wants")
    spent.rounds += 1
    spent.completions += sum(map(len, answers))
    spent.tokens += sum(completion.num_tokens for answer in answers for completion in answer)
    return answers
