"""How often a policy's sampled programs pass, by horizon."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any

import torch
from rich.console import Console
from rich.table import Table

from agents.generation.generate import Sampling
from agents.policies.causal import Policy
from agents.seeding import numpy_generator, torch_generator
from codegym.errors import SandboxError
from codegym.evaluation.metrics import bootstrap_interval
from codegym.judge import Verdict, make_judge
from codegym.sandbox import Limits
from codegym.tasks.record import Task
from codegym.tasks.source import TaskSource


@dataclass(frozen=True)
class PassRate:
    """Share of programs that pass, for tasks of one horizon."""

    horizon: int
    pass_rate: float
    interval: tuple[float, float]
    """95 %, by drawing tasks with replacement; there is one program for each."""
    num_programs: int
    """Those that the machine could not judge are not among them."""


def pass_rates(
    policy: Policy,
    sources: Mapping[int, TaskSource],
    sampling: Sampling,
    num_programs: int = 128,
    sandbox: Any = "auto",
    seed: int = 0,
) -> list[PassRate]:
    """Sample programs for tasks of every horizon.

    Args:
        policy: what writes them.
        sources: horizon -> what its tasks are drawn from.
        sampling: how tokens are chosen.
        num_programs: for each horizon, one a task.
        sandbox: what environments take: a name, a sandbox or a judge.
        seed: of tasks and tokens.
    """
    judge: Any = make_judge(sandbox, Limits())
    try:
        verdicts = {
            horizon: sample_verdicts(policy, source, sampling, num_programs, judge, (seed, horizon))
            for horizon, source in sources.items()
        }
    finally:
        if judge is not sandbox and hasattr(judge, "close"):
            judge.close()
    return [_pass_rate(horizon, found) for horizon, found in verdicts.items()]


def sample_verdicts(
    policy: Policy, source: TaskSource, sampling: Sampling, count: int, judge: Any, seed: tuple[int, ...]
) -> list[Verdict]:
    """Sample a program for each of so many tasks; gives the verdicts, without those of which the machine failed."""
    rng = numpy_generator(*seed, "pass rate")
    tasks = [source.draw(rng) for _ in range(count)]
    written = sample_programs(policy, tasks, sampling, judge, torch_generator(*seed, "pass rate"))
    return [future.result() for _, future in written if not isinstance(future.exception(), SandboxError)]


def sample_programs(
    policy: Policy, tasks: Sequence[Task], sampling: Sampling, judge: Any, generator: torch.Generator
) -> list[tuple[str, Future[Verdict]]]:
    """Sample a program for each task, judged while others are being written; they come in the order of their ends."""
    written: list[tuple[str, Future[Verdict]]] = []

    def submit(index: int, tokens: list[int]) -> None:
        text = policy.text(tokens)
        written.append((text, judge.submit(tasks[index], text)))

    policy.complete([task.prompt for task in tasks], sampling, generator, on_finished=submit)
    return written


def _pass_rate(horizon: int, verdicts: Sequence[Verdict]) -> PassRate:
    passed = [float(verdict.passed) for verdict in verdicts]
    if not passed:
        return PassRate(horizon, float("nan"), (0.0, 1.0), 0)
    return PassRate(horizon, sum(passed) / len(passed), bootstrap_interval(passed), len(passed))


def show(rates: Sequence[PassRate], console: Console) -> None:
    """Print a table."""
    table = Table(title="sampled pass@1 on unseen tasks")
    for column in ("horizon", "pass@1", "95 %", "programs"):
        table.add_column(column, justify="right")
    for each in rates:
        low, high = each.interval
        table.add_row(str(each.horizon), f"{each.pass_rate:.3f}", f"{low:.3f}..{high:.3f}", str(each.num_programs))
    console.print(table)
