"""codegym: Gymnasium environments in which writing a program is an episode.

``import codegym`` registers the environment ids; ``gym.make("codegym/Token-v0")`` and ``gym.make("codegym/Line-v0")``
make the two environments. The names of ``codegym.__all__`` are the public surface; everything else is in the packages.
"""

from importlib.metadata import PackageNotFoundError, version
from typing import Any

from codegym.envs.registration import register_all
from codegym.errors import (
    CodegymError,
    DatasetError,
    InvalidAction,
    LineScorerError,
    SandboxError,
    SandboxUnavailable,
    TaskError,
)
from codegym.judge import FakeJudge, Judge, JudgeLike, Status, Verdict, make_judge
from codegym.plugins import load_object, suggest
from codegym.rewards import Reward, parse_reward
from codegym.sandbox import FakeSandbox, Limits, open_sandbox
from codegym.scorers import FakeLineScorer, LineScorer
from codegym.step import Line, Step
from codegym.tasks.record import AssertCheck, CallCheck, StdinCheck, Task

__all__ = [
    "AssertCheck",
    "CallCheck",
    "CodegymError",
    "DatasetError",
    "FakeJudge",
    "FakeLineScorer",
    "FakeSandbox",
    "InvalidAction",
    "Judge",
    "JudgeLike",
    "Limits",
    "Line",
    "LineEnv",
    "LineScorer",
    "LineScorerError",
    "Reward",
    "SandboxError",
    "SandboxUnavailable",
    "Status",
    "StdinCheck",
    "Step",
    "Task",
    "TaskError",
    "TokenEnv",
    "Verdict",
    "__version__",
    "evaluate",
    "load_tasks",
    "load_tokenizer",
    "make_judge",
    "make_task_source",
    "open_sandbox",
    "parse_reward",
]

# Imported on first use, so that ``import codegym`` stays light.
_LAZY = {
    "LineEnv": "codegym.envs.env:LineEnv",
    "TokenEnv": "codegym.envs.env:TokenEnv",
    "evaluate": "codegym.evaluation.evaluate:evaluate",
    "load_tasks": "codegym.tasks.datasets:load_tasks",
    "load_tokenizer": "codegym.tokenizers:load_tokenizer",
    "make_task_source": "codegym.tasks.source:make_task_source",
}

try:
    __version__ = version("codegym")
except PackageNotFoundError:  # a checkout that is on the path and not installed
    __version__ = "0+checkout"


def __getattr__(name: str) -> Any:
    """Import a public name on first use."""
    if name not in _LAZY:
        raise AttributeError(f"module 'codegym' has no attribute {name!r}{suggest(name, __all__)}")
    value = globals()[name] = load_object(_LAZY[name])
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


register_all()
