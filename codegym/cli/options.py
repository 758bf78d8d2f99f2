"""Options that several commands share: tasks, sandbox and sampling."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass, fields, is_dataclass, replace
from pathlib import Path
from typing import Annotated, Any, cast

import numpy as np
import tyro

from codegym.cli.common import SANDBOX_HELP, install_hint
from codegym.judge import Judge
from codegym.sampling import Sampler
from codegym.sandbox.backends import open_sandbox
from codegym.sandbox.base import Limits, Sandbox
from codegym.tasks.datasets import DATASETS, load_tasks
from codegym.tasks.procedural import FAMILIES
from codegym.tasks.source import ListSource, TaskSource, make_task_source
from codegym.tokenizers import resolve_model

INLINE = tyro.conf.arg(name="")
"""Marks an argument whose fields are options of the command, without a prefix."""
_TASKS_HELP = (
    f"Data set ({', '.join(DATASETS)}), procedural family ({', '.join(FAMILIES)}), file of tasks in codegym's own "
    'format (.jsonl), or "package.module:object" for a task source of your own.'
)


@dataclass(frozen=True)
class TaskOptions:
    """Tasks that programs are written for."""

    tasks: Annotated[
        str,
        tyro.conf.arg(metavar="NAME", help=_TASKS_HELP),
    ]
    path: Annotated[Path | None, tyro.conf.arg(metavar="FILE")] = None
    """File of the data set (.jsonl, .jsonl.gz or .json). By default the data set is loaded from the Hub."""
    split: str | None = None
    """Split on the Hub, by default the data set's usual one. Split of a family: "train" or "test" (default)."""
    num_tasks: int | None = None
    """Number of tasks: the first ones of a data set (default: all), or random ones of a family, which is endless."""
    horizon: tuple[int, ...] = ()
    """Number of lines of the programs of a family, or the lowest and the highest number."""
    difficulty: float | None = None
    """Difficulty of the tasks of a family, from 0 to 1."""

    def load(self, seed: int = 0) -> ListSource:
        """Return the tasks.

        Args:
            seed: Seed of the tasks that are drawn from a family.

        Raises:
            ValueError: There are no such tasks, or an option does not fit them.
            DatasetError: A file or the Hub cannot be read.
        """
        if self.tasks in DATASETS or _is_file(self.tasks):
            return ListSource(self._load_file())
        source = self._open_source()
        if isinstance(source, ListSource):
            return ListSource(source.tasks[: self.num_tasks])
        if self.num_tasks is None or self.num_tasks < 1:
            raise ValueError(
                f"endless tasks: got --tasks {self.tasks} and --num-tasks {self.num_tasks}; expected a number of at "
                "least 1. Add --num-tasks 100"
            )
        rng = np.random.default_rng(seed)
        drawn = [source.draw(rng) for _ in range(self.num_tasks)]
        return ListSource(tuple({task.task_id: task for task in drawn}.values()))

    @property
    def settings(self) -> dict[str, Any]:
        """Options by name."""
        return asdict(self)

    def _load_file(self) -> Any:
        if knobs := self._knobs():
            raise ValueError(
                f"{' and '.join(f'--{name}' for name in knobs)} of a data set: got --tasks {self.tasks}; expected one "
                f"of {', '.join(FAMILIES)}"
            )
        if self.tasks in DATASETS:
            return load_tasks(self.tasks, self.path, split=self.split, limit=self.num_tasks)
        if self.path is not None:
            raise ValueError(f"two files of tasks: got --tasks {self.tasks} and --path {self.path}; expected one")
        return load_tasks("jsonl", self.tasks, limit=self.num_tasks)

    def _open_source(self) -> TaskSource:
        """Open a family or a source of the user's, with the options of this command."""
        source = make_task_source(self.tasks, self.path)
        known: set[str] = {field.name for field in fields(cast(Any, source))} if is_dataclass(source) else set()
        knobs = self._knobs() | ({"split": self.split or "test"} if self.split or "split" in known else {})
        if unknown := set(knobs) - known:
            raise ValueError(
                f"unknown option of {self.tasks}: got --{min(unknown)}; expected {', '.join(sorted(known)) or 'none'}"
            )
        return cast(TaskSource, replace(cast(Any, source), **knobs)) if knobs else source

    def _knobs(self) -> dict[str, Any]:
        if len(self.horizon) > 2:
            raise ValueError(f"too many numbers: got --horizon {self.horizon}; expected one or two")
        knobs: dict[str, Any] = {} if self.difficulty is None else {"difficulty": self.difficulty}
        return knobs | (
            {"horizon": self.horizon[0] if len(self.horizon) == 1 else self.horizon} if self.horizon else {}
        )


def _is_file(tasks: str) -> bool:
    return tasks.endswith((".jsonl", ".jsonl.gz", ".json"))


@dataclass(frozen=True)
class SandboxOptions:
    """Sandbox in which programs run."""

    sandbox: Annotated[str, tyro.conf.arg(metavar="NAME", help=SANDBOX_HELP)] = "auto"
    workers: int | None = None
    """Number of programs that run at the same time. By default one for each core."""
    packages: tuple[str, ...] = ()
    """Packages that programs may import beyond the standard library, such as: --packages numpy"""
    preload: tuple[str, ...] = ()
    """Modules that are loaded before programs run, so that importing them takes no time."""
    limits: Limits = Limits()  # noqa: RUF009 - a frozen record
    """Limits of each program, its child processes included."""

    def open(self) -> Sandbox:
        """Open the sandbox."""
        return open_sandbox(self.sandbox, self.limits, self.workers, packages=self.packages, preload=self.preload)

    @contextmanager
    def open_judge(self, **options: Any) -> Iterator[Judge]:
        """Open the sandbox for a judge, and close it in the end.

        Args:
            options: Further arguments of ``Judge``, such as ``trace_lines=True``.
        """
        with closing(self.open()) as sandbox:
            yield Judge(sandbox, self.limits, **options)

    @property
    def settings(self) -> dict[str, Any]:
        """What verdicts depend on: everything except the number of workers."""
        return {name: value for name, value in asdict(self).items() if name != "workers"}


@dataclass(frozen=True)
class SamplingOptions:
    """Settings of the sampling from the policy."""

    max_tokens: int = 256
    """Token budget of a program, its end-of-sequence token included."""
    temperature: float = 1.0
    """Sampling temperature, by which the logits are divided."""
    device: str = "cpu"
    """Device of the policy, such as cuda."""
    num_threads: int = 1
    """Number of threads of torch on a CPU. One is fastest for small models, above all if other processes are busy."""

    def open(self, policy: str, **options: Any) -> Sampler:
        """Load the policy.

        Args:
            policy: Folder or Hub id of the policy.
            options: Further arguments of ``TransformersSampler``.

        Raises:
            ValueError: There is no such folder.
            ImportError: A package is missing; the message names the extra.
        """
        resolve_model(policy, "policy")
        try:
            import torch

            from codegym.sampling import TransformersSampler
        except ImportError as error:
            raise ImportError(f"policies need torch and transformers ({error}): {install_hint('agents')}") from error
        torch.set_num_threads(self.num_threads)
        options |= {"device": self.device, "max_tokens": self.max_tokens, "temperature": self.temperature}
        return TransformersSampler.load(policy, **options)
