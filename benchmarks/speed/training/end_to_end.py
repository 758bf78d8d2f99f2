"""Programs per second of whole training runs through a real sandbox, and what each stage takes of an iteration.

The runs are those of ``benchmarks.lab``: the same start, tasks, agents and settings. Only the process reward
model knows nothing here: what it says costs as much.
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
from benchmarks.lab import train_arm as run_arm
from benchmarks.lab.experiment import QUICK, Arm, Cell, Experiment
from benchmarks.lab.prepare import make_start
from benchmarks.lab.train_arm import RunSpec
from benchmarks.reliability.boxes import live_boxes
from benchmarks.speed.training.products import Products, large_rate
from benchmarks.speed.training.stages import STAGES, Clock, replacing, watched
from codegym.scorers.prm.model import ProcessRewardModel

WARM_UP = 3
"""Iterations that are not counted: the sandbox is opened, and the policy stands still while the critic warms up."""


@dataclass(frozen=True)
class Config:
    """Settings of the runs."""

    policy: Path | None = None
    """Folder of a policy; None trains one, or takes it from ``cache``."""
    cache: Path = Path("runs/cache")
    supervised_programs: int = QUICK.supervised_programs
    """Of the training of that policy: one that has seen few writes no Python, and the judge has nothing to do."""
    arms: tuple[str, ...] = ("sparse PPO", "dense", "sparse GRPO")
    """Of the experiment."""
    programs: int = 256
    """Programs an iteration."""
    iterations: int = 5
    """Iterations that are counted."""
    sandbox: str = "docker"

    @property
    def experiment(self) -> Experiment:
        """The default experiment with these settings, without its evaluations, on tasks of which some are solved.

        PPO does not update a policy of whose programs none passes.
        """
        settings = {"arms": self.arms, "programs": self.programs, "supervised_programs": self.supervised_programs}
        return replace(QUICK, eval_every=0, cells=(Cell(4),), **settings)  # type: ignore[arg-type]


@dataclass
class Measured:
    """What one arm showed; a list has one entry an iteration."""

    arm: str
    programs: int
    sandbox: str
    seconds: dict[str, list[float]] = field(default_factory=lambda: {stage: [] for stage in STAGES})
    """Wall time of the learner, by stage."""
    cpu_seconds: dict[str, list[float]] = field(default_factory=lambda: {stage: [] for stage in STAGES})
    """CPU time of the thread that learns, by stage."""
    judge_cpu_seconds: list[float] = field(default_factory=list)
    """CPU time of all processes of the boxes."""
    thread_cpu_seconds: list[float] = field(default_factory=list)
    """CPU time of the other threads of this process: they hand programs over and read what comes back."""
    matrix_rates: list[float] = field(default_factory=list)
    """GFLOP per CPU second of a product of two large matrices, just after each iteration."""
    tokens: list[float] = field(default_factory=list)
    """Mean tokens of a program."""
    gflop: dict[str, float] = field(default_factory=dict)
    """Operations of one more iteration, padding included."""
    product_seconds: dict[str, float] = field(default_factory=dict)
    """CPU time that these take with nothing between them, at their shapes."""

    @property
    def totals(self) -> list[float]:
        """Wall seconds of each iteration."""
        return [sum(parts) for parts in zip(*self.seconds.values(), strict=True)]

    @property
    def cpu_totals(self) -> list[float]:
        """CPU seconds of the thread that learns, of each iteration."""
        return [sum(parts) for parts in zip(*self.cpu_seconds.values(), strict=True)]


def measure(config: Config, console: Console) -> Iterator[Measured]:
    """Train every arm for some iterations, with one thread of PyTorch as the experiment does.

    Raises:
        psutil.NoSuchProcess: a box died or was recycled on the way, so its time is not known.
    """
    torch.set_num_threads(1)
    start = config.policy or make_start(config.experiment, config.cache, console)
    for arm in config.experiment.chosen_arms():
        console.print(f"{arm.name}, {config.programs} programs an iteration", style="dim")
        yield measure_arm(arm, config, start)


def measure_arm(arm: Arm, config: Config, start: Path) -> Measured:
    """Train one arm: iterations that are not counted, those that are, and one whose operations are counted."""
    watch = _Watch(arm, config)
    iterations = WARM_UP + config.iterations + 1
    with (
        tempfile.TemporaryDirectory(prefix="codegym-benchmark-") as out,
        watched(watch.clock),
        replacing(Run, "iterations", lambda original: lambda run: watch.follow(original(run), iterations - 1)),
    ):
        run = train(arm, config, start, Path(out), iterations)
        watch.found.tokens = [row["tokens"] for row in run.metrics()[WARM_UP:-1]]
    watch.found.gflop = watch.products.gflop()
    watch.found.product_seconds = watch.products.seconds()
    return watch.found


def train(arm: Arm, config: Config, start: Path, folder: Path, iterations: int) -> Run:
    """Train an arm as the experiment does, with a process reward model that knows nothing yet."""
    ProcessRewardModel.from_policy(start).save(folder / "prm")
    cell = replace(config.experiment.cells[0], iterations=iterations)
    places = str(start), str(folder / "prm"), str(folder / "run")
    return run_arm.train(RunSpec(config.experiment, cell, arm.name, arm.tuned, 0, *places, config.sandbox), arm)


class _Watch:
    """Reads all clocks at the border of two iterations."""

    def __init__(self, arm: Arm, config: Config) -> None:
        self.found = Measured(arm.name, config.programs, config.sandbox)
        self.clock = Clock()
        self.products = Products(lambda: self.clock.current)
        self._boxes: list[psutil.Process] = []
        self._before = 0.0, 0.0

    def follow(self, iterations: Iterator[int], last: int) -> Iterator[int]:
        """Hand the iterations on; the last one is not timed, its operations are taken down."""
        for iteration in iterations:
            if iteration > WARM_UP:
                self._book()
            if iteration == WARM_UP:  # the sandbox is open by now
                self._boxes = [process for box in live_boxes(self.found.sandbox) for process in box.staff]
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
        """Keep what the iteration has taken."""
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
        """CPU seconds so far of the other threads of this process, and of the boxes with all that ran in them."""
        return time.process_time() - time.thread_time(), sum(sum(process.cpu_times()[:4]) for process in self._boxes)
