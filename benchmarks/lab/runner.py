"""Training runs of an experiment: plan them, run each in a process of its own, keep and reuse results."""

from __future__ import annotations

import json
import math
import re
import statistics
import subprocess
import sys
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

from rich.console import Console

from benchmarks.lab.design import AgentOptions, Arm, Design, RunSpec, Setting
from benchmarks.lab.records import from_plain, read_record, write_record
from benchmarks.lab.results import ArmResult, Results, TuningTrial
from benchmarks.lab.stats import evaluations, samples_to_threshold
from benchmarks.lab.train_arm import RESULT

TUNING_SEED = 1_000
"""Seed of tuning runs; no reported run has it."""
TUNING = "tuning.json"
"""File of the tuning trials in the folder of an experiment."""


class ArmFailedError(Exception):
    """The process of a training run ended without a result."""


@dataclass(frozen=True)
class Runner:
    """Runs the training processes of an experiment."""

    design: Design
    """Design of the experiment."""
    initial_policy: Path
    """Folder of the policy that all arms start from."""
    out: Path
    """Folder of the experiment."""
    sandbox: str
    """Sandbox back end."""
    processes: int
    """Training runs at the same time."""
    console: Console
    """Console for messages."""
    label_completions: int = 0
    """Completions that the labels took."""

    def run_all(self, specs: Sequence[RunSpec]) -> list[ArmResult]:
        """Return the results of all runs in order; those on disk are not run again.

        A failed run does not stop the others; after them all failures end the program in one ``SystemExit``.

        Args:
            specs: The runs.
        """
        with ThreadPoolExecutor(self.processes) as pool:
            found = [*pool.map(self._attempt, specs)]
        if failures := [str(each) for each in found if isinstance(each, ArmFailedError)]:
            raise SystemExit("\n\n".join(failures))
        return [each for each in found if isinstance(each, ArmResult)]

    def run(self, spec: RunSpec) -> ArmResult:
        """Train one arm in a process of its own, unless its result is on disk.

        Args:
            spec: The run.

        Raises:
            ArmFailedError: The process ended without a result.
        """
        out = Path(spec.out)
        file = out / RESULT
        if not file.exists():
            out.mkdir(parents=True, exist_ok=True)
            write_record(out / "arm.json", spec)
            execute([sys.executable, "-m", "benchmarks.lab.train_arm", str(out / "arm.json")], out / "log.txt")
        result = read_record(ArmResult, file)
        rate = result.sampled.pass_rate
        self.console.print(f"{out.relative_to(self.out)}: pass rate {rate:.3f}", highlight=False)
        return result

    def _attempt(self, spec: RunSpec) -> ArmResult | ArmFailedError:
        try:
            return self.run(spec)
        except ArmFailedError as error:
            self.console.print(str(error), style="red", highlight=False, markup=False)
            return error

    def make_spec(self, setting: Setting, arm: Arm, seed: int, options: AgentOptions, folder: Path) -> RunSpec:
        """Return the specification of one run.

        Args:
            setting: Tasks and budget.
            arm: Way to train.
            seed: Seed of the run.
            options: Options of the agent.
            folder: Folder of the run, relative to that of the experiment.
        """
        if setting.match_label_budget and not arm.needs_labels:
            more = math.ceil(self.label_completions / self.design.batch_size)
            setting = replace(setting, num_iterations=setting.num_iterations + more)
        prm, out = str(self.out / "prm"), str(self.out / folder)
        return RunSpec(self.design, setting, arm.name, options, seed, str(self.initial_policy), prm, out, self.sandbox)


def plan(runner: Runner, chosen: Mapping[str, AgentOptions], max_seeds: int | None = None) -> list[RunSpec]:
    """Return all runs, ordered by seed, so that an interrupted experiment has results in every setting.

    Args:
        runner: Runner of the experiment.
        chosen: Name of an arm -> its options.
        max_seeds: Seeds of each setting at most; None for all.
    """
    design = runner.design
    num_seeds = max(setting.num_seeds for setting in design.settings)
    return [
        runner.make_spec(setting, arm, seed, chosen[arm.name], run_folder(setting, arm.name, seed))
        for seed in range(num_seeds if max_seeds is None else min(num_seeds, max_seeds))
        for setting in design.settings
        if seed < setting.num_seeds
        for arm in design.arms
    ]


def tune(runner: Runner) -> dict[str, AgentOptions]:
    """Return the best trial of each arm on the tuning setting, all arms with the same number of trials.

    Args:
        runner: Runner of the experiment; if its design has no tuning setting, the arms' ``tuned`` options are returned.
    """
    if runner.design.tuning is None:
        return {arm.name: arm.tuned for arm in runner.design.arms}
    trials = tuning_trials(runner, runner.design.tuning)
    own = {arm.name: [trial for trial in trials if trial.arm == arm.name] for arm in runner.design.arms}
    return {name: min(tried, key=trial_order).options for name, tried in own.items()}


def tuning_trials(runner: Runner, setting: Setting) -> list[TuningTrial]:
    """Return the results of all trials; arms without results on disk are tuned now.

    Args:
        runner: Runner of the experiment.
        setting: Setting to tune on.
    """
    file = runner.out / TUNING
    kept = from_plain(list[TuningTrial], json.loads(file.read_text("utf-8"))) if file.exists() else []
    specs = [
        runner.make_spec(setting, arm, TUNING_SEED, options, Path("tuning") / f"{slug(arm.name)}-{number}")
        for arm in runner.design.arms
        if arm.name not in {trial.arm for trial in kept}
        for number, options in enumerate(arm.trials)
    ]
    if not specs:
        return kept
    trials = [*kept, *map(make_trial, runner.run_all(specs))]
    write_record(file, trials)
    return trials


def make_trial(result: ArmResult) -> TuningTrial:
    """Return what tuning compares of ``result``."""
    cost = samples_to_threshold(result.curve)
    mean = statistics.mean(rate for _, rate in evaluations(result.curve))
    return TuningTrial(result.arm, result.options, mean, None if math.isinf(cost) else cost)


def trial_order(trial: TuningTrial) -> tuple[float, float]:
    """Return a sort key of ``trial``: fewest programs to the target first, then the highest mean pass rate."""
    cost = math.inf if trial.samples_to_threshold is None else trial.samples_to_threshold
    return cost, -trial.mean_pass_rate


def import_results(results: Results, out: Path) -> None:
    """Write earlier results into the folders of their runs, so that these are not run again.

    Args:
        results: Results of the same design.
        out: Folder of the experiment.
    """
    write_record(out / TUNING, results.tuning)
    for result in results.runs:
        folder = out / run_folder(result.setting, result.arm, result.seed)
        folder.mkdir(parents=True, exist_ok=True)
        if not (folder / RESULT).exists():
            write_record(folder / RESULT, result)


def run_folder(setting: Setting, arm: str, seed: int) -> Path:
    """Return the folder of a run, relative to that of the experiment.

    Args:
        setting: Tasks of the run.
        arm: Name of the arm.
        seed: Seed of the run.
    """
    return Path(slug(setting.name)) / f"{slug(arm)}-{seed}"


def slug(text: str) -> str:
    """Return ``text`` in a form that suits file names."""
    return re.sub(r"[^a-z0-9.]+", "-", text.lower())


def execute(command: Sequence[str], log: Path) -> None:
    """Run a command, its output in ``log``.

    Args:
        command: Program and arguments.
        log: File for the output.

    Raises:
        ArmFailedError: The exit status is not 0.
    """
    with log.open("w", encoding="utf-8") as file:
        done = subprocess.run(command, stdout=file, stderr=subprocess.STDOUT, check=False)
    if done.returncode:
        end = "\n".join(log.read_text("utf-8").splitlines()[-5:])
        raise ArmFailedError(f"an arm failed with exit status {done.returncode}; the end of {log}:\n{end}")
