"""Programs per second of whole training runs through a real sandbox, and the share of each stage in an iteration.

The runs are those of ``benchmarks.lab``: the same initial policy, tasks, agents and settings. Only the process reward
model is untrained; its scores take as long to compute.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import psutil
import torch
from rich.console import Console

from agents.common.run import Run
from benchmarks.experiments.prm_pays import QUICK
from benchmarks.lab import train_arm
from benchmarks.lab.design import Arm, Design, RunSpec, Setting
from benchmarks.lab.prepare import make_initial_policy
from benchmarks.reliability.box_inspection import live_boxes
from benchmarks.speed.training.products import Products, large_rate
from benchmarks.speed.training.stages import STAGES, Clock, replacing, watched
from codegym.scorers.prm import ProcessRewardModel

WARM_UP = 3
"""Iterations that are not counted: the sandbox is opened, and only the critic learns while it warms up."""


@dataclass(frozen=True)
class EndToEndOptions:
    """Options of the training runs."""

    policy: Path | None = None
    """Folder of the initial policy. Default: one is trained, or taken from ``cache``."""
    cache: Path = Path("runs/cache")
    """Folder of initial policies."""
    sft_programs: int = QUICK.sft_programs
    """Programs that the initial policy learns from; with few of them it writes no Python and the judge is idle."""
    arms: tuple[str, ...] = ("sparse PPO", "dense", "sparse GRPO")
    """Arms of the experiment "prm_pays"."""
    programs: int = 256
    """Programs an iteration."""
    iterations: int = 5
    """Iterations that are counted."""
    sandbox: str = "docker"
    """Sandbox back end."""

    @property
    def design(self) -> Design:
        """Quick design with these options, without evaluations, on tasks that the initial policy sometimes solves.

        PPO does not update a policy if none of its programs passes.
        """
        arms = tuple(QUICK.get_arm(name) for name in self.arms)
        sizes = {"batch_size": self.programs, "sft_programs": self.sft_programs, "eval_every": 0}
        return replace(QUICK, settings=(Setting(4),), arms=arms, **sizes)  # type: ignore[arg-type]


@dataclass
class TrainingTimes:
    """Times of one arm; a list has one entry an iteration."""

    arm: str
    programs: int
    sandbox: str
    seconds: dict[str, list[float]] = field(default_factory=lambda: {stage: [] for stage in STAGES})
    """Wall time of the learner, by stage."""
    cpu_seconds: dict[str, list[float]] = field(default_factory=lambda: {stage: [] for stage in STAGES})
    """CPU time of the learner's thread, by stage."""
    judge_cpu_seconds: list[float] = field(default_factory=list)
    """CPU time of all processes of the boxes."""
    thread_cpu_seconds: list[float] = field(default_factory=list)
    """CPU time of the other threads of this process, which submit programs and read verdicts."""
    matrix_rates: list[float] = field(default_factory=list)
    """GFLOP per CPU second of a product of two large matrices, just after each iteration."""
    tokens: list[float] = field(default_factory=list)
    """Mean tokens of a program."""
    gflop: dict[str, float] = field(default_factory=dict)
    """Operations of one more iteration, padding included."""
    product_seconds: dict[str, float] = field(default_factory=dict)
    """CPU time of the same products alone, at their shapes."""

    @property
    def totals(self) -> list[float]:
        """Wall seconds of each iteration."""
        return [sum(parts) for parts in zip(*self.seconds.values(), strict=True)]

    @property
    def cpu_totals(self) -> list[float]:
        """CPU seconds of the learner's thread in each iteration."""
        return [sum(parts) for parts in zip(*self.cpu_seconds.values(), strict=True)]


def measure_arms(options: EndToEndOptions, console: Console) -> Iterator[TrainingTimes]:
    """Train every arm for some iterations with one thread of PyTorch, as the laboratory does.

    Args:
        options: Options of the runs.
        console: Console for messages.

    Raises:
        psutil.NoSuchProcess: A box died or was replaced during the run, so its CPU time is unknown.
    """
    torch.set_num_threads(1)
    policy = options.policy or make_initial_policy(options.design, options.cache, console)
    for arm in options.design.arms:
        console.print(f"{arm.name}, {options.programs} programs an iteration", style="dim")
        yield measure_arm(arm, options, policy)


def measure_arm(arm: Arm, options: EndToEndOptions, policy: Path) -> TrainingTimes:
    """Train one arm: iterations that are not counted, those that are, and one whose operations are counted.

    Args:
        arm: The arm.
        options: Options of the runs.
        policy: Folder of the initial policy.
    """
    watch = _Watch(arm, options)
    iterations = WARM_UP + options.iterations + 1
    with (
        tempfile.TemporaryDirectory(prefix="codegym-benchmark-") as out,
        watched(watch.clock),
        replacing(Run, "iterations", lambda original: lambda run: watch.follow(original(run), iterations - 1)),
    ):
        run = train(arm, options, policy, Path(out), iterations)
        watch.found.tokens = [row[train_arm.CURVE["tokens"]] for row in run.metrics()[WARM_UP:-1]]
    watch.found.gflop = watch.products.gflop()
    watch.found.product_seconds = watch.products.seconds()
    return watch.found


def train(arm: Arm, options: EndToEndOptions, policy: Path, folder: Path, iterations: int) -> Run:
    """Train an arm as the laboratory does, with an untrained process reward model.

    Args:
        arm: The arm.
        options: Options of the runs.
        policy: Folder of the initial policy.
        folder: Folder of the run.
        iterations: Number of iterations.
    """
    ProcessRewardModel.from_policy(policy).save(folder / "prm")
    design = options.design
    setting = replace(design.settings[0], num_iterations=iterations)
    places = str(policy), str(folder / "prm"), str(folder / "run")
    return train_arm.train(RunSpec(design, setting, arm.name, arm.tuned, 0, *places, options.sandbox), arm)


class _Watch:
    """Reads all clocks at the border of two iterations."""

    def __init__(self, arm: Arm, options: EndToEndOptions) -> None:
        self.found = TrainingTimes(arm.name, options.programs, options.sandbox)
        self.clock = Clock()
        self.products = Products(lambda: self.clock.current)
        self._boxes: list[psutil.Process] = []
        self._before = 0.0, 0.0

    def follow(self, iterations: Iterator[int], last: int) -> Iterator[int]:
        """Yield the iterations; the last one is not timed, but its operations are recorded."""
        for iteration in iterations:
            if iteration > WARM_UP:
                self._book()
            if iteration == WARM_UP:  # the sandbox is open by now
                self._boxes = [process for box in live_boxes(self.found.sandbox) for process in box.permanent_processes]
            self._begin()
            if iteration < last:
                yield iteration
            else:
                with self.products:
                    yield iteration

    def _begin(self) -> None:
        self._before = self._cpu_elsewhere()
        self.clock.restart()

    def _book(self) -> None:
        """Record the times of the iteration."""
        self.clock.charge()
        threads, boxes = self._cpu_elsewhere()
        found = self.found
        for stage in STAGES:
            found.seconds[stage].append(self.clock.wall[stage])
            found.cpu_seconds[stage].append(self.clock.cpu[stage])
        found.thread_cpu_seconds.append(threads - self._before[0])
        found.judge_cpu_seconds.append(boxes - self._before[1])
        found.matrix_rates.append(large_rate())

    def _cpu_elsewhere(self) -> tuple[float, float]:
        """Return the CPU seconds so far of the other threads of this process, and of the boxes with their programs."""
        return time.process_time() - time.thread_time(), sum(sum(process.cpu_times()[:4]) for process in self._boxes)
