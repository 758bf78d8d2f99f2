"""codegym: Gymnasium environments in which writing a program is an episode.

``import codegym`` registers the environment ids; ``gym.make("codegym/Token-v0")`` and ``gym.make("codegym/Line-v0")``
make the two environments. The names of ``codegym.__all__`` are the public surface; everything else is in the packages.
"""

from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING

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
from codegym.plugins import lazy_exports
from codegym.rewards import Reward, parse_reward
from codegym.sandbox import FakeSandbox, Limits, open_sandbox
from codegym.scorers import FakeLineScorer, LineScorer
from codegym.step import Line, Step
from codegym.tasks.record import AssertCheck, CallCheck, StdinCheck, Task

if TYPE_CHECKING:
    from codegym.envs.env import LineEnv, TokenEnv
    from codegym.evaluation.evaluate import evaluate
    from codegym.tasks.datasets import load_tasks
    from codegym.tasks.source import make_task_source
    from codegym.tokenizers import load_tokenizer

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

try:
    __version__ = version("codegym")
except PackageNotFoundError:  # a checkout that is on the path and not installed
    __version__ = "0+checkout"


# So that ``import codegym`` stays light.
__getattr__, __dir__ = lazy_exports(
    __name__,
    __all__,
    {
        "LineEnv": "codegym.envs.env:LineEnv",
        "TokenEnv": "codegym.envs.env:TokenEnv",
        "evaluate": "codegym.evaluation.evaluate:evaluate",
        "load_tasks": "codegym.tasks.datasets:load_tasks",
        "load_tokenizer": "codegym.tokenizers:load_tokenizer",
        "make_task_source": "codegym.tasks.source:make_task_source",
    },
)

register_all()
