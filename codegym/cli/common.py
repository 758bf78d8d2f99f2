"""What several commands share: their options and the terminal."""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import tyro
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from codegym.sampling import Sampler
from codegym.sandbox.backends import BACKENDS, open_sandbox
from codegym.sandbox.base import Limits, Sandbox
from codegym.tasks.datasets import DATASETS, TaskSet, load_tasks

SANDBOX_HELP = (
    f"Back end: {', '.join(BACKENDS)}, package.module:object for one of your own, or auto, which is Docker if an "
    "engine answers, else the process back end (see: codegym sandbox check)."
)
output = Console()
errors = Console(stderr=True)


@dataclass(frozen=True)
class TaskOptions:
    """Where the tasks come from."""

    dataset: Annotated[str, tyro.conf.arg(metavar="NAME", help=f"One of {', '.join(DATASETS)}.")]
    path: Annotated[Path | None, tyro.conf.arg(metavar="FILE")] = None
    """The data set's own file (.jsonl, .jsonl.gz or .json); without it the data set comes from the Hub."""
    split: str | None = None
    """Split on the Hub; by default the data set's usual one."""

    def load(self) -> TaskSet:
        """Open the task set."""
        return load_tasks(self.dataset, self.path, split=self.split)


@dataclass(frozen=True)
class SandboxOptions:
    """Where programs run."""

    sandbox: Annotated[str, tyro.conf.arg(metavar="NAME", help=SANDBOX_HELP)] = "auto"
    workers: int | None = None
    """Programs at the same time; by default one for each core."""
    packages: tuple[str, ...] = ()
    """What programs may import beyond the standard library, such as: --packages numpy"""
    preload: tuple[str, ...] = ()
    """Modules loaded before programs run, so that importing them costs nothing."""
    limits: Limits = Limits()
    """Limits of each program, its child processes included."""

    def open(self) -> Sandbox:
        """Open the sandbox."""
        return open_sandbox(self.sandbox, self.limits, self.workers, packages=self.packages, preload=self.preload)


@dataclass(frozen=True)
class SamplingOptions:
    """How the policy writes."""

    max_tokens: Annotated[int, tyro.conf.arg(aliases=["--max-new-tokens"])] = 256
    """Token budget of a program, its end included."""
    temperature: float = 1.0
    device: str = "cpu"
    """Where the policy runs, such as cuda."""
    num_threads: int = 1
    """Of torch on a CPU; a small model is fastest with one, and much slower with more where the cores are busy."""

    def open(self, policy: str, **options: Any) -> Sampler:
        """Load the policy; ``options`` are further ones of ``TransformersSampler``."""
        import_late("torch").set_num_threads(self.num_threads)
        kind = import_late("codegym.sampling.hf").TransformersSampler
        options |= {"device": self.device, "max_tokens": self.max_tokens, "temperature": self.temperature}
        try:
            sampler: Sampler = kind.load(policy, **options)
        except ImportError as error:
            raise ValueError(str(error)) from error
        return sampler


def import_late(module: str) -> Any:
    """Models want torch, which takes seconds to import and which most commands do without."""
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise ValueError(
            f"this command needs torch and transformers ({error}): pip install torch transformers"
        ) from error


Tasks = Annotated[TaskOptions, tyro.conf.arg(name="")]
Box = Annotated[SandboxOptions, tyro.conf.arg(name="")]
Sampling = Annotated[SamplingOptions, tyro.conf.arg(name="")]


def progress_bar() -> Progress:
    """A bar on the terminal's error stream, so that output may be piped; gone when it is done."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    return Progress(*columns, console=errors, transient=True)
