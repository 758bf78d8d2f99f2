"""Environments: the MDP of writing a program, and its single and vector forms for Gymnasium.

Its names are imported on first use, so that ``import codegym`` stays light.
"""

from typing import TYPE_CHECKING

from codegym.plugins import lazy_exports

if TYPE_CHECKING:
    from codegym.envs.batch import EpisodeBatch, StepResult
    from codegym.envs.config import EnvConfig, LineEnvConfig
    from codegym.envs.env import LineEnv, TokenEnv
    from codegym.envs.replay import RecordActions
    from codegym.envs.state import EpisodeState
    from codegym.envs.vector import CodeVectorEnv, LineVectorEnv, TokenVectorEnv

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

__getattr__, __dir__ = lazy_exports(
    __name__,
    __all__,
    {
        "CodeVectorEnv": "codegym.envs.vector:CodeVectorEnv",
        "EnvConfig": "codegym.envs.config:EnvConfig",
        "EpisodeBatch": "codegym.envs.batch:EpisodeBatch",
        "EpisodeState": "codegym.envs.state:EpisodeState",
        "LineEnv": "codegym.envs.env:LineEnv",
        "LineEnvConfig": "codegym.envs.config:LineEnvConfig",
        "LineVectorEnv": "codegym.envs.vector:LineVectorEnv",
        "RecordActions": "codegym.envs.replay:RecordActions",
        "StepResult": "codegym.envs.batch:StepResult",
        "TokenEnv": "codegym.envs.env:TokenEnv",
        "TokenVectorEnv": "codegym.envs.vector:TokenVectorEnv",
    },
)
