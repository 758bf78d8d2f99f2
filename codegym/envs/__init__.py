"""Environments: the MDP of writing a program, and its single and vector forms for Gymnasium.

Its names are imported on first use, so that ``import codegym`` stays light.
"""

from typing import Any

from codegym.plugins import load_object, suggest

__all__ = [
    "CodeVectorEnv",
    "EnvConfig",
    "EpisodeBatch",
    "EpisodeState",
    "LineEnv",
    "LineEnvConfig",
    "LineVectorEnv",
    "RecordActions",
    "StepResult",
    "TokenEnv",
    "TokenVectorEnv",
]

_MODULES = {
    "CodeVectorEnv": "vector",
    "EnvConfig": "config",
    "EpisodeBatch": "batch",
    "EpisodeState": "state",
    "LineEnv": "env",
    "LineEnvConfig": "config",
    "LineVectorEnv": "vector",
    "RecordActions": "replay",
    "StepResult": "batch",
    "TokenEnv": "env",
    "TokenVectorEnv": "vector",
}


def __getattr__(name: str) -> Any:
    """Import a public name on first use."""
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}{suggest(name, __all__)}")
    value = globals()[name] = load_object(f"{__name__}.{_MODULES[name]}:{name}")
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
