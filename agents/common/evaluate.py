"""Pass rates of a policy's sampled programs, by horizon."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass

import torch
from rich.console import Console
from rich.table import Table

from agents.generation.generate import Sampling
from agents.policies.causal import Policy
from agents.seeding import numpy_generator, torch_generator
from codegym.errors import SandboxError
from codegym.evaluation.metrics import bootstrap_interval
from codegym.judge import JudgeLike, Verdict, make_judge
from codegym.sandbox import Limits, Sandbox
from codegym.tasks import Task, TaskSource


@dataclass(frozen=True)
class PassRate:
    """Share of programs that pass, for tasks of one horizon."""

    horizon: int
    """Lines of a solution."""
    pass_rate: float
    """Share of judged programs that pass; NaN if none was judged."""
    interval: tuple[float, float]
    """95 % bootstrap interval over tasks, with one program per task."""
    num_programs: int
    """Number of programs that were judged."""


def pass_rates(
    policy: Policy,
    sources: Mapping[int, TaskSource],
    sampling: Sampling,
    num_programs: int = 128,
    sandbox: str | Sandbox | JudgeLike = "auto",
    seed: int = 0,
) -> list[PassRate]:
    """Sample programs for tasks of every horizon and return their pass rates.

    Args:
        policy: Policy that writes the programs.
        sources: Horizon -> task source.
        sampling: Settings of the sampling.
        num_programs: Programs per horizon, one per task.
        sandbox: Name of a sandbox, a sandbox or a judge.
        seed: Seed of tasks and tokens.
    """
    judge = make_judge(sandbox, Limits())
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
    policy: Policy, source: TaskSource, sampling: Sampling, count: int, judge: JudgeLike, seed: tuple[int, ...]
) -> list[Verdict]:
    """Sample one program for each of ``count`` tasks and return the verdicts of those that could be judged.

    Args:
        policy: Policy that writes the programs.
        source: Source of the tasks.
        sampling: Settings of the sampling.
        count: Number of tasks.
        judge: Judge of the programs.
        seed: Numbers that seed tasks and tokens.
    """
    rng = numpy_generator(*seed, "pass rate")
    tasks = [source.draw(rng) for _ in range(count)]
    written = sample_programs(policy, tasks, sampling, judge, torch_generator(*seed, "pass rate"))
    return [future.result() for _, future in written if not isinstance(future.exception(), SandboxError)]


def sample_programs(
    policy: Policy, tasks: Sequence[Task], sampling: Sampling, judge: JudgeLike, generator: torch.Generator
) -> list[tuple[str, Future[Verdict]]]:
    """Sample one program per task, judging each while others are being written; return them in the order of their ends.

    Args:
        policy: Policy that writes the programs.
        tasks: Tasks to solve.
        sampling: Settings of the sampling.
        judge: Judge of the programs.
        generator: Random numbers for the tokens.
    """
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
    """Print a table of pass rates.

    Args:
        rates: Pass rates to show.
        console: Console to print to.
    """
    table = Table(title="sampled pass@1 on unseen tasks")
    for column in ("horizon", "pass@1", "95 %", "programs"):
        table.add_column(column, justify="right")
    for each in rates:
        low, high = each.interval
        table.add_row(str(each.horizon), f"{each.pass_rate:.3f}", f"{low:.3f}..{high:.3f}", str(each.num_programs))
    console.print(table)
