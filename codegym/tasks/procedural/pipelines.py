"""Pipelines: operations on a list of numbers, one after the other."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import ClassVar

from codegym.tasks.procedural.chain import ChainFamily, Chains, operations

STEPS = operations("""
    30 ; add 3 ; [i + 3 for i in v] ; [i + 2 for i in v] ; [i - 3 for i in v]
    35 ; take 2 ; [i - 2 for i in v] ; [i + 2 for i in v] ; [i - 3 for i in v]
    30 ; double ; [i * 2 for i in v] ; [i + 2 for i in v] ; v + v
    35 ; triple ; [i * 3 for i in v] ; [i + 3 for i in v] ; [i * 2 for i in v]
    40 ; square ; [i * i for i in v] ; [i + i for i in v] ; [i * 2 for i in v]
    45 ; negate ; [0 - i for i in v] ; [1 - i for i in v] ; v[::-1]
    50 ; halve ; [i // 2 for i in v] ; [i % 2 for i in v] ; [i // 3 for i in v]
    55 ; mod 5 ; [i % 5 for i in v] ; [i // 5 for i in v] ; [i % 4 for i in v]
    50 ; cap 7 ; [min(i, 7) for i in v] ; [max(i, 7) for i in v] ; [min(i, 5) for i in v]
    50 ; floor 1 ; [max(i, 1) for i in v] ; [min(i, 1) for i in v] ; [max(i, 3) for i in v]
    60 ; index ; [i + j for i, j in enumerate(v)] ; [i * j for i, j in enumerate(v)] ; [j for i, j in enumerate(v)]
    60 ; deltas ; [i - j for i, j in zip(v, v[1:])] ; [j - i for i, j in zip(v, v[1:])] ; [i - j for i, j in zip(v, v)]
    25 ; reverse ; v[::-1] ; sorted(v) ; v[::2]
    25 ; sort ; sorted(v) ; sorted(v)[::-1] ; v[::-1]
    45 ; descend ; sorted(v)[::-1] ; sorted(v) ; v[::-1]
    55 ; distinct ; sorted(set(v)) ; sorted(v) ; sorted(set(v))[1:]
    35 ; tail ; v[1:] ; v[2:] ; v[:-1]
    40 ; crop ; v[:-1] ; v[:-2] ; v[1:]
    45 ; first 4 ; v[:4] ; v[4:] ; v[:3]
    55 ; last 3 ; v[-3:] ; v[:-3] ; v[-4:]
    50 ; every 2 ; v[::2] ; v[1::2] ; v[:2]
    60 ; rotate ; v[1:] + v[:1] ; v[:1] + v[1:] + v[:1] ; v[-1:] + v[:-1]
    45 ; evens ; [i for i in v if i % 2 == 0] ; [i for i in v if i % 2 == 1] ; [i for i in v if i % 3 == 0]
    45 ; odds ; [i for i in v if i % 2 == 1] ; [i for i in v if i % 2 == 0] ; [i for i in v if i % 3 == 1]
    40 ; above 2 ; [i for i in v if i > 2] ; [i for i in v if i < 2] ; [i for i in v if i > 4]
    40 ; below 8 ; [i for i in v if i < 8] ; [i for i in v if i > 8] ; [i for i in v if i < 5]
    35 ; append 1 ; v + [1] ; [1] + v ; v + [2]
    35 ; prepend 4 ; [4] + v ; v + [4] ; [5] + v
    55 ; append length ; v + [len(v)] ; v + [len(v) - 1] ; [len(v)] + v
    60 ; append sum ; v + [sum(v)] ; v + [len(v)] ; [sum(v)] + v
    50 ; twice ; v + v ; v + v[::-1] ; v + v[1:]
    65 ; mirror ; v + v[::-1] ; v + v ; v[::-1] + v
""")
ENDS = operations("""
    15 ; sum ; sum(v) ; len(v) ; sum(v[1:])
    20 ; all ; v ; v[:-1] ; v[1:]
    25 ; ends ; v[:2] + v[-2:] ; v[:2] + v[2:] ; v[:1] + v[-1:]
    25 ; weights ; sum(i * j for i, j in enumerate(v)) ; sum(i + j for i, j in enumerate(v)) ; sum(v)
""")
_NUMBERS = range(-5, 16)
_CHAINS = Chains(STEPS, ENDS, "abcxyz")


@dataclass(frozen=True)
class Pipelines(ChainFamily):
    """Chains of list operations that end in one number or a list.

    >>> print(Pipelines().by_id("pipelines:train:2:0:a30febcfd9").solution)
    def f(c):
        c = c + [len(c)]
        c = [i for i in c if i % 2 == 0]
        return sum(i * j for i, j in enumerate(c))
    <BLANKLINE>
    """

    name: ClassVar[str] = "pipelines"
    chains: ClassVar[Chains] = _CHAINS

    @staticmethod
    def sample_arguments(source: random.Random) -> tuple[object, ...]:
        """Sample the arguments of one call."""
        return (source.choices(_NUMBERS, k=source.randint(6, 9)),)
