"""All named terms, in one list."""

from __future__ import annotations

from collections.abc import Callable

from codegym.rewards.base import Term
from codegym.rewards.format import finished, length, line_cap, syntax
from codegym.rewards.outcome import coderl, outcome, pass_ratio
from codegym.rewards.potential import potential
from codegym.rewards.process import process
from codegym.rewards.progress import progress
from codegym.rewards.psgpo import psgpo
from codegym.rewards.pure import min_form
from codegym.rewards.rltf import rltf, rltf_adaptive, rltf_fine
from codegym.rewards.vppo import first_error

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
        first_error,
        min_form,
        rltf,
        rltf_adaptive,
        rltf_fine,
        length,
        line_cap,
        syntax,
        finished,
    )
}
"""A name -> the function that makes the term of that name, with keyword arguments only."""
