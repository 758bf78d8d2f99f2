"""Table of agents: name -> configuration and training function."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

from codegym.plugins import Plugins

if TYPE_CHECKING:
    from agents.common.config import RunConfig
    from agents.common.run import Run


class Agent(NamedTuple):
    """An algorithm that trains a policy in the environments."""

    config: type[RunConfig]
    """Class of the configuration; its field docstrings are the help of the command line."""
    train: Callable[..., Run[RunConfig]]
    """Function ``train(config, **inputs)`` that trains a policy and returns the finished run; ``inputs`` are
    ``RunInputs``."""


AGENTS: Plugins[Agent] = Plugins(
    "agent",
    "codegym.agents",
    {
        "ppo": "agents.ppo:AGENT",
        "psgpo": "agents.psgpo:AGENT",
        "grpo": "agents.grpo:AGENT",
        "rloo": "agents.rloo:AGENT",
        "reinforce": "agents.reinforce:AGENT",
        "reinforce_pp": "agents.reinforce_pp:AGENT",
    },
)
"""Name -> agent. ``"package.module:object"`` names an ``Agent`` of another package."""
