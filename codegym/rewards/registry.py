"""The table of reward terms."""

from __future__ import annotations

from collections.abc import Callable

from codegym.plugins import Plugins
from codegym.rewards.base import Term

REWARDS: Plugins[Callable[..., Term]] = Plugins(
    "reward term",
    "codegym.rewards",
    {
        "outcome": "codegym.rewards.outcome:outcome",
        "pass_ratio": "codegym.rewards.outcome:pass_ratio",
        "coderl": "codegym.rewards.outcome:coderl",
        "process": "codegym.rewards.process:process",
        "progress": "codegym.rewards.progress:progress",
        "potential": "codegym.rewards.potential:potential",
        "psgpo": "codegym.rewards.psgpo:psgpo",
        "vppo": "codegym.rewards.vppo:vppo",
        "pure": "codegym.rewards.pure:pure",
        "rltf": "codegym.rewards.rltf:rltf",
        "rltf_adaptive": "codegym.rewards.rltf:rltf_adaptive",
        "rltf_fine": "codegym.rewards.rltf:rltf_fine",
        "length_penalty": "codegym.rewards.format:length_penalty",
        "line_limit": "codegym.rewards.format:line_limit",
        "syntax_penalty": "codegym.rewards.format:syntax_penalty",
        "missing_eos": "codegym.rewards.format:missing_eos",
    },
)
"""Name -> function that makes the term of that name. The function takes keyword arguments only, all with defaults."""
