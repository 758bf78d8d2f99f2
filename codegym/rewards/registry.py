"""All named terms, in one list."""

from __future__ import annotations

from collections.abc import Callable

from codegym.rewards.base import Term
from codegym.rewards.format import length_penalty, line_limit, missing_eos, syntax_penalty
from codegym.rewards.outcome import coderl, outcome, pass_ratio
from codegym.rewards.potential import potential
from codegym.rewards.process import process
from codegym.rewards.progress import progress
from codegym.rewards.psgpo import psgpo
from codegym.rewards.pure import pure
from codegym.rewards.rltf import rltf, rltf_adaptive, rltf_fine
from codegym.rewards.vppo import vppo

REWARDS: dict[str, Callable[..., Term]] = {
    factory.__name__: factory
    for factory in (
        outcome,
        pass_ratio,
        coderl,
        process,
        progress,
        potential,
        psgpo,
        vppo,
        pure,
        rltf,
        rltf_adaptive,
        rltf_fine,
        length_penalty,
        line_limit,
        syntax_penalty,
        missing_eos,
    )
}
"""A name -> the function that makes the term of that name, with keyword arguments only."""
