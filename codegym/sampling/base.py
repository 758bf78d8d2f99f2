"""The sampler protocol, what sampling costs, and derived seeds."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import NamedTuple, Protocol

from codegym.tasks.record import Task


class PrefixRequest(NamedTuple):
    """A prefix of a program to be completed one or several times."""

    task: Task
    text: str
    """The prefix: whole lines of a program, or ``""`` to write the program from its start."""
    num_completions: int
    seed: int
    """Seed of the completions. A sampler that uses no other randomness gives the same completions in every batch."""


class Completion(NamedTuple):
    """A completion of a prefix."""

    text: str
    """The completion, without the prefix."""
    num_tokens: int
    """Number of sampled tokens."""


class Sampler(Protocol):
    """A policy that completes prefixes: any function or object that can be called with requests.

    A request with an empty prefix asks for whole programs, so a sampler serves labeling, evaluation and training.

    >>> from codegym import StdinCheck, Task
    >>> def hello(requests: Sequence[PrefixRequest]) -> list[list[Completion]]:
    ...     return [[Completion("print('hello')", 5)] * request.num_completions for request in requests]
    >>> task = Task("hello", "Print hello.", (StdinCheck("", "hello"),))
    >>> complete(hello, [PrefixRequest(task, "", 1, seed=0)], LabelingCost())[0][0].text
    "print('hello')"
    """

    def __call__(self, requests: Sequence[PrefixRequest], /) -> Sequence[Sequence[Completion]]:
        """Return the completions of each request, in order: ``num_completions`` of them.

        Args:
            requests: The prefixes to complete.
        """


@dataclass
class LabelingCost:
    """What labels have cost."""

    completions: int = 0
    """Number of sampled completions."""
    tokens: int = 0
    """Number of sampled tokens, without those of prefixes."""
    executions: int = 0
    """Number of programs sent to the judge. Equal programs of one round count once."""
    rounds: int = 0
    """Number of calls of the sampler."""
    cache_hits: int = 0
    """Number of prefixes that were already measured when they were requested."""

    def __add__(self, other: LabelingCost) -> LabelingCost:
        mine, others = asdict(self), asdict(other)
        return LabelingCost(**{name: mine[name] + others[name] for name in mine})


def derive_seed(*parts: object) -> int:
    """Return a seed of 63 bits that depends on all parts and is the same in every process.

    Args:
        parts: Plain values with a stable ``repr``: numbers and texts, such as a seed, a purpose and an index.
    """
    return int.from_bytes(hashlib.blake2b(repr(parts).encode("utf-8", "replace"), digest_size=8).digest()) >> 1


def complete(sampler: Sampler, requests: Sequence[PrefixRequest], cost: LabelingCost) -> Sequence[Sequence[Completion]]:
    """Return the completions of a sampler, and add what they cost.

    Args:
        sampler: The policy that completes prefixes.
        requests: The prefixes to complete.
        cost: Record that the cost is added to.

    Raises:
        ValueError: The sampler returned another number of completions than requested.
    """
    answers = sampler(requests)
    got, expected = [len(answer) for answer in answers], [request.num_completions for request in requests]
    if got != expected:
        raise ValueError(f"wrong number of completions: got {got}; expected {expected}. Check what the sampler returns")
    cost.rounds += 1
    cost.completions += sum(map(len, answers))
    cost.tokens += sum(completion.num_tokens for answer in answers for completion in answer)
    return answers
